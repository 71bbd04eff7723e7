"""The embedded reader writes, is read, and is tuned on what it wrote."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from jomed_app.boxes import Box
from jomed_app.config.text_rewards import TextRewardsConfig
from jomed_app.errors import ConfigError
from jomed_app.training.rewards.text.packed_policy import PackedTextPolicy
from jomed_app.training.rewards.text.reward_answers import AnswerJudge
from jomed_app.training.rewards.text.train import tune_on_text
from tests.tiny_models import TINY_LOCATION_BINS, build_tiny_reader

CONFIG = TextRewardsConfig(
    algorithm="group",
    warm_steps=40,
    warm_lr=1e-2,
    steps=20,
    batch_size=1,
    rollouts=8,
    temperature=0.7,
    max_tokens=8,
    lr=1e-3,
    kl_weight=0.0,
    relevance_weight=0.0,
)


@pytest.fixture
def short_task(task):
    return task.model_copy(update={"descriptors": {}})


@pytest.fixture
def policy(short_task):
    reader = build_tiny_reader(4, short_task.answer_words)
    reader.model.model.language_model.requires_grad_(True)
    reader.model.get_input_embeddings().requires_grad_(True)
    return PackedTextPolicy(reader, short_task, 1.0, 8)


def test_the_likelihood_of_an_answer_is_that_of_its_sampling(policy, picture):
    prompt = policy.prompt(picture)
    answers = policy.sample(prompt, 3, torch.Generator().manual_seed(0))
    answers.append(policy.reader.answer_ids("malignant", complete=True))
    with torch.no_grad():
        found = policy.tokens(prompt, answers)
    assert found.keep_mask.sum(-1).tolist() == [len(each) for each in answers]
    assert found.hidden.shape == (*found.log_prob.shape, policy.width)
    reading = policy.reader.read(prompt.image, policy.task.question, [])
    scored = policy.reader.score_answers(reading, answers)[0]
    # It never says an image, so the rest is a little likelier; training rounds to bf16 here.
    torch.testing.assert_close(found.log_prob.sum(-1), scored, atol=0.3, rtol=0)
    assert policy.reader.prompts.image_token_id not in {each for row in answers for each in row}
    assert (policy.tokens(prompt, answers, temperature=0.2).entropy <= found.entropy + 1e-4).all()


def test_what_is_true_is_read_back(policy, picture, case):
    prompt = policy.prompt(picture)
    said = policy.read(prompt, policy.true_answer(prompt, case))
    assert said.statement.label == "malignant"
    (box,) = said.boxes
    # Bins of the square, of which the image's rows fill nine parts in fourteen.
    assert box.as_tuple() == pytest.approx(case.boxes[0].as_tuple(), abs=1 / TINY_LOCATION_BINS)
    with pytest.raises(NotImplementedError, match="must not be asked where it looked"):
        policy.look(prompt, [], slice(0, 1))


def test_unreadable_differs_from_no_box(policy, picture):
    prompt, ids = policy.prompt(picture), policy.reader.location_ids.tolist()
    label, normal = (policy.reader.answer_ids(each) for each in ("benign", "normal"))
    assert policy.read(prompt, normal).boxes == []
    assert policy.read(prompt, label).boxes is None
    assert policy.read(prompt, [*label, *ids[3:6]]).boxes is None, "three places are no box"
    assert policy.read(prompt, [*label, ids[9], ids[5], ids[2], ids[8]]).boxes is None, "inverted"
    assert policy.read(prompt, [*label, ids[0], ids[0], ids[1], ids[1]]).boxes is None, "beside it"
    assert len(policy.read(prompt, [*label, ids[2], ids[5], ids[9], ids[8]]).boxes) == 1
    assert policy.read(prompt, [*ids[2:4], *ids[8:10]]).statement is None


def test_descriptors_are_read_behind_the_box(policy, picture, task):
    whole = PackedTextPolicy(policy.reader, task, 1.0, 20)
    prompt = whole.prompt(picture)
    (name, values), *_ = task.descriptors.items()
    bins = [int(whole.reader.location_ids[place]) for place in (2, 5, 9, 8)]
    answer = [*whole.reader.answer_ids("benign"), *bins, *whole.reader.answer_ids(values[0])]
    assert whole.read(prompt, answer).statement.descriptors == {name: values[0]}


def test_the_iou_of_its_own_boxes_rises(policy, case, tmp_path):
    """After 40 supervised steps on two cases that differ in box and label, not in the image."""
    other = replace(case, label="benign", boxes=[Box(0.1, 0.1, 0.5, 0.5)])
    policy.temperature = CONFIG.temperature
    tune_on_text(policy, [case, other], CONFIG.replaced(steps=1, lr=1e-8), tmp_path / "warm")
    judge = AnswerJudge(policy, CONFIG.weights, 0.1)

    def mean_iou():
        prompt = policy.prompt(case.image())
        answers = policy.sample(prompt, 32, torch.Generator().manual_seed(5))
        return float(judge.rewards(prompt, answers, case.truth).earned["localization"].mean())

    before = mean_iou()
    history = tune_on_text(policy, [case], CONFIG.replaced(warm_steps=0), tmp_path / "tuned")
    assert "vision" not in history[0]
    assert mean_iou() > before + 0.1


def test_trl_knows_no_embedded_reader(policy, case, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(Dataset=None))
    monkeypatch.setitem(sys.modules, "trl", SimpleNamespace(GRPOConfig=None, GRPOTrainer=None))
    config = CONFIG.replaced(algorithm="trl", warm_steps=0)
    with pytest.raises(ConfigError, match="a reader of transformers, found the embedded one"):
        tune_on_text(policy, [case], config, tmp_path)
