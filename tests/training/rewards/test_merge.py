"""Merging tuned policies: hand values, the start alone, and a localizer that is tuned in place."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.training.localizer.kept_views import KeptCases
from jomed_app.training.rewards.merge import merge_states, tune_localizer
from jomed_app.training.rewards.policy import ViewQueries, see_cases
from jomed_app.training.rewards.reward_responses import class_set
from tests.localizer_maps import tiny_maps
from tests.training.localizer.small_cases import TASK

CLASSES = class_set(TASK.labels, TASK.empty_labels)
CONFIG = RewardTuningConfig(
    steps=2, batch_size=3, rollouts=4, lr=5e-3, kl_weight=0.0, policies=2, start_share=0.5
)


def test_half_of_the_way_to_the_mean_by_hand():
    start = {"a": torch.tensor([0.0, 4.0])}
    tuned = [{"a": torch.tensor([2.0, 4.0])}, {"a": torch.tensor([6.0, 0.0])}]
    torch.testing.assert_close(merge_states(start, tuned, 0.5)["a"], torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(merge_states(start, tuned, 0.0)["a"], torch.tensor([4.0, 2.0]))
    assert torch.equal(merge_states(start, tuned, 1.0)["a"], start["a"])
    with pytest.raises(ValueError, match="requires one tuned policy or more, found none"):
        merge_states(start, [], 0.5)


def tuned(out, config):
    localizer, maps, boxes, labels = tiny_maps()
    queries = ViewQueries(see_cases(localizer, KeptCases(maps, boxes, labels)), np.arange(3))
    start = {name: value.clone() for name, value in localizer.state_dict().items()}
    logs = tune_localizer(localizer, queries, CLASSES, config, out)
    return start, localizer.state_dict(), logs


def test_policies_start_alike_and_differ_by_seed(tmp_path):
    start, after, logs = tuned(tmp_path, CONFIG)
    assert [len(log) for log in logs] == [2, 2]
    assert max(log[0]["kl"] for log in logs) < 1e-6, "both start from the start"
    assert logs[0] != logs[1]
    moved = {name for name in start if not torch.equal(after[name], start[name])}
    assert moved
    assert all(name.startswith("queries.") for name in moved)


def test_what_is_kept_is_the_merged_policies(tmp_path):
    start, merged, _ = tuned(tmp_path / "both", CONFIG)
    alone = [
        tuned(tmp_path / str(seed), CONFIG.replaced(policies=1, start_share=0.0, seed=seed))[1]
        for seed in (0, 1)
    ]
    expected = merge_states(start, alone, 0.5)
    for name, value in merged.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name], msg=name)


def test_a_resumed_run_equals_an_unbroken_one(tmp_path):
    _, whole, _ = tuned(tmp_path, CONFIG)
    localizer, maps, boxes, labels = tiny_maps()
    queries = ViewQueries(see_cases(localizer, KeptCases(maps, boxes, labels)), np.arange(3))
    logs = tune_localizer(localizer, queries, CLASSES, CONFIG, tmp_path, resume=True)
    assert logs == [[], []], "nothing is left to do"
    for name, value in localizer.state_dict().items():
        assert torch.equal(value, whole[name]), name
