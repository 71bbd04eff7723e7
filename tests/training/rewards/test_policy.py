"""The localizer as a policy: what it says, what it is asked, and that tuning leaves the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.models.localizer.localizer import Localizer
from jomed_app.training.localizer.kept_views import KeptCases
from jomed_app.training.rewards.policy import (
    DENSE_CHANNELS,
    LocalizerPolicy,
    ViewQueries,
    rewarded_rows,
    see_cases,
)
from jomed_app.training.rewards.reward_responses import class_set
from jomed_app.training.rewards.train import tune_with_rewards
from tests.tiny_bundle import build_tiny_localizer
from tests.training.localizer.small_cases import TASK

CELLS, CHANNELS = 20, 4
NONE = [torch.nan] * 4
CLASSES = class_set(TASK.labels, TASK.empty_labels)


@pytest.fixture
def localizer() -> Localizer:
    torch.manual_seed(0)
    return build_tiny_localizer().eval()


@pytest.fixture
def kept() -> KeptCases:
    """Three cases in two views: a box that the second view lost, a box, nothing."""
    maps = torch.randn(2, 3, CHANNELS, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    box, moved = [0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 0.75, 0.5]
    boxes = torch.tensor(
        [[[box, NONE], [box, box], [NONE, NONE]], [[NONE, NONE], [moved, NONE], [NONE, NONE]]]
    )
    return KeptCases(maps.to(torch.bfloat16), boxes, torch.tensor([1, 2, 0]))


@pytest.fixture
def queries(localizer, kept) -> ViewQueries:
    return ViewQueries(see_cases(localizer, kept), np.arange(3))


def test_it_says_what_the_localizer_says(localizer, kept, queries):
    output = LocalizerPolicy(localizer)(queries.unchanged().inputs)
    said = localizer(kept.maps[0].float())
    torch.testing.assert_close(output.edge_logits, said.edge_logits, atol=0.05, rtol=0.05)
    torch.testing.assert_close(output.class_logits, said.class_logits, atol=0.05, rtol=0.05)
    torch.testing.assert_close(output.attention, said.attention, atol=0.01, rtol=0.05)
    assert output.value.tolist() == [0.0] * 3, "the critic knows nothing yet"


def test_maps_hold_the_dense_heads_answers_behind_their_own(localizer, kept, queries):
    width = localizer.config.width
    seen = queries.cases.maps
    assert seen.shape == (2, 3, width + DENSE_CHANNELS, localizer.grid, localizer.grid)
    dense = localizer(kept.maps[1].float()).dense
    torch.testing.assert_close(
        seen[1, :, width].flatten(1).float(), dense.scores, atol=0.05, rtol=0.05
    )
    boxes = seen[1, :, width + 1 :].flatten(2).transpose(1, 2).float()
    torch.testing.assert_close(boxes, dense.boxes, atol=0.02, rtol=0.05)
    assert torch.equal(queries.cases.labels, kept.labels)


def test_a_view_that_lost_its_box_is_the_image_itself(queries):
    drawn = queries(np.random.default_rng(0), 60)
    assert drawn.inputs.shape == (60, *queries.cases.maps.shape[2:])
    assert drawn.inputs.dtype == torch.float32
    assert torch.equal(drawn.boxes.isnan().any(-1), drawn.labels == 0)
    first = queries.cases.maps[:, 0].float()
    assert not any(torch.equal(each, first[1]) for each in drawn.inputs)
    assert any(torch.equal(each, first[0]) for each in drawn.inputs)
    assert {0.0, 0.25} == set(drawn.boxes[drawn.labels > 0][:, 0].tolist())


def test_draws_follow_the_given_randomness(queries):
    first, again, other = (queries(np.random.default_rng(seed), 8) for seed in (0, 0, 1))
    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, other.inputs)


def test_unchanged_means_every_row_once(queries):
    plain = queries.unchanged()
    assert torch.equal(plain.inputs, queries.cases.maps[0].float())
    torch.testing.assert_close(plain.boxes, queries.cases.boxes[0, :, 0], equal_nan=True)


def test_a_finding_without_a_drawn_box_is_left_out(queries):
    cases = KeptCases(queries.cases.maps, queries.cases.boxes.flip(0), queries.cases.labels)
    assert rewarded_rows(cases, np.arange(3), (0,)).tolist() == [1, 2]
    assert rewarded_rows(cases, np.array([0]), (0,)).tolist() == []


def test_tuning_moves_the_queries_and_nothing_else(localizer, queries, tmp_path):
    before = {name: value.clone() for name, value in localizer.state_dict().items()}
    config = RewardTuningConfig(
        algorithm="group", steps=3, batch_size=4, rollouts=4, lr=5e-3, kl_weight=0.0
    )
    policy = LocalizerPolicy(localizer)
    history = tune_with_rewards(policy, queries, CLASSES, config, tmp_path)
    assert all(np.isfinite(each["vision"]) for each in history)
    after = localizer.state_dict()
    assert not torch.equal(after["queries.queries"], before["queries.queries"])
    for name, value in before.items():
        if not name.startswith("queries."):
            assert torch.equal(after[name], value), name
    assert not policy.critic[-1].weight.any(), "the critic takes no part in `group`"
