"""The stage `rewards`: every localizer is tuned, and the old ones are kept."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from jomed_app.errors import ConfigError
from jomed_app.models.localizer.localizer import load_localizer
from jomed_app.training.localizer.stage import frozen_tower, keep_real
from jomed_app.training.rewards.stage import HELD_OUT_FILE, rewards_stage, with_fewer_views
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import NUM_REAL, tiny_config


@pytest.fixture(scope="module")
def work(tiny_run, tiny_real_cases):
    return Workspace(tiny_run, tiny_config(tiny_real_cases))


def weights(module) -> dict[str, torch.Tensor]:
    return module.state_dict()


def test_rewards_may_draw_from_the_first_of_the_kept_views_alone(work):
    every, folds = keep_real(work, frozen_tower(work))
    rewards = work.config.train_rewards.replaced(views=1)
    config = with_fewer_views(work.config.replaced(train_rewards=rewards))
    first, same = keep_real(Workspace(work.root, config), frozen_tower(work))
    assert (len(every.maps), len(first.maps)) == (2, 1)
    assert torch.equal(every.maps[:1], first.maps)
    assert torch.equal(every.boxes[:1].nan_to_num(), first.boxes.nan_to_num())
    assert (folds == same).all()


def test_rewards_tune_every_localizer_and_keep_the_old_ones(work, tmp_path):
    out = shutil.copytree(work.root, tmp_path / "run")
    tuned, steps = Workspace(out, work.config), []

    def note(done, total, **figures):
        steps.extend([figures] if figures else [])

    def run(**more):
        rewards_stage(work.config, out, on_progress=note, **more)

    run()
    names = ["fold0", "fold1", "final"]
    settings = work.config.train_rewards
    assert len(steps) == 3 * settings.policies * settings.steps * settings.updates
    assert {"reward", "localization", "vision", "kl"} <= set(steps[0])
    for name in names:
        old, untouched = (weights(load_localizer(each.localizer(name))) for each in (work, tuned))
        new = weights(load_localizer(tuned.tuned(name)))
        assert all(torch.equal(value, untouched[key]) for key, value in old.items())
        assert any(not torch.equal(value, new[key]) for key, value in old.items())
    told = {name: json.loads((tuned.tuned(name) / HELD_OUT_FILE).read_text()) for name in names}
    assert told["final"] == {"cases": 0, "before": None, "after": None}
    assert sum(each["cases"] for each in told.values()) == NUM_REAL
    assert all(0 <= told["fold0"][when] <= 1 for when in ("before", "after"))
    steps.clear()
    run(resume=True)
    assert steps == []


def test_rewards_need_a_localizer(work, tmp_path):
    message = "the stage 'rewards' requires the localizer 'fold0'; run: train reader first"
    with pytest.raises(ConfigError, match=message):
        rewards_stage(work.config, tmp_path)
