"""The embedded readers of a run: each is tuned on its own text, and the old ones are kept."""

from __future__ import annotations

import shutil

import pytest
import torch

from jomed_app.config.text_rewards import TextRewardsConfig
from jomed_app.errors import ConfigError
from jomed_app.training.cases.table_reader import frozen_reader
from jomed_app.training.rewards.stage import rewards_stage
from jomed_app.training.run.checkpoint import read_weights
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_config

CHECKPOINT = "checkpoint.safetensors"
SETTINGS = TextRewardsConfig(
    algorithm="group", warm_steps=0, steps=2, batch_size=1, rollouts=4, max_tokens=3, lr=1e-3
)


@pytest.fixture
def work(tiny_run, tiny_real_cases, tmp_path):
    """A copy of a trained run whose rewards tune the readers."""
    config = tiny_config(tiny_real_cases)
    rewards = config.train_rewards.replaced(tunes="reader", ship=True)
    changed = config.replaced(train_rewards=rewards, train_text_rewards=SETTINGS)
    return Workspace(shutil.copytree(tiny_run, tmp_path / "run"), changed)


def test_every_reader_is_tuned_and_the_tuned_one_is_read_with(work):
    before = {name: read_weights(work.reader(name) / CHECKPOINT) for name in ("fold0", "final")}
    localizer = work.chosen_localizer("fold0")
    rewards_stage(work.config, work.root)
    for name, old in before.items():
        kept, new = (
            read_weights(folder / CHECKPOINT)
            for folder in (work.reader(name), work.tuned_reader(name))
        )
        assert kept.keys() == new.keys() == old.keys()
        assert all(torch.equal(kept[key], value) for key, value in old.items())
        assert any(not torch.equal(new[key], value) for key, value in old.items())
    assert work.chosen_reader("fold0") == work.tuned_reader("fold0")
    assert localizer == work.localizer("fold0"), "localizers stay as they were trained"
    assert not work.retriever("fold0").exists(), "what the old reader taught is forgotten"
    plain = work.config.replaced(train_rewards=work.config.train_rewards.replaced(ship=False))
    tuned, untuned = (
        frozen_reader(each, "fold0").model.get_input_embeddings().weight
        for each in (work, Workspace(work.root, plain))
    )
    assert not torch.equal(tuned, untuned)
    weights = read_weights(work.tuned_reader("fold0") / CHECKPOINT)
    rewards_stage(work.config, work.root, resume=True)
    again = read_weights(work.tuned_reader("fold0") / CHECKPOINT)
    assert all(torch.equal(again[key], value) for key, value in weights.items())


def test_without_a_reader_one_sentence_says_what_comes_first(work):
    shutil.rmtree(work.reader("fold1"))
    with pytest.raises(ConfigError, match="requires the reader 'fold1'; run: train reader first"):
        rewards_stage(work.config, work.root)
