"""The localizer as a policy: what it says, what it is asked, and that tuning leaves the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.models.localizer import Localizer, LocalizerConfig
from jomed_app.stage_config import RewardTuningConfig
from jomed_app.training.localize import ViewTokens
from jomed_app.training.localizer_policy import (
    LocalizerPolicy,
    ViewQueries,
    presence_classes,
    presence_labels,
    rewarded_rows,
)
from jomed_app.training.rewards import tune_with_rewards
from tests.training.small_cases import TASK, drawn_cases

SHAPE = LocalizerConfig(token_size=12, width=24, num_layers=1, location_bins=16)
NONE = [torch.nan] * 4


@pytest.fixture
def policy() -> LocalizerPolicy:
    torch.manual_seed(0)
    return LocalizerPolicy(Localizer(SHAPE)).eval()


@pytest.fixture
def queries() -> ViewQueries:
    """Three rows in two views: a box that the second view lost, a box, nothing."""
    tokens = torch.randn(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    box, moved = [0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 0.75, 0.5]
    boxes = torch.tensor([[box, box, NONE], [NONE, moved, NONE]])
    views = ViewTokens(tokens.to(torch.bfloat16), boxes)
    return ViewQueries(views, torch.tensor([1, 1, 0]), np.arange(3))


def test_it_says_what_the_localizer_says(policy):
    tokens = torch.randn(2, 9, 12)
    output = policy(tokens)
    edges, presence = policy.localizer(tokens)
    torch.testing.assert_close(output.edge_logits, edges)
    torch.testing.assert_close(output.class_logits.softmax(-1)[:, 1], presence.sigmoid())
    assert output.value.tolist() == [0.0, 0.0], "the critic knows nothing yet"
    assert output.attention is None


def test_a_view_that_lost_its_box_is_the_image_itself(queries):
    drawn = queries(np.random.default_rng(0), 60)
    assert drawn.inputs.shape == (60, 9, 12)
    assert drawn.inputs.dtype == torch.float32
    assert torch.equal(drawn.boxes.isnan().any(-1), drawn.labels == 0)
    first = queries.views.tokens[:, 0].float()
    assert not any(torch.equal(each, first[1]) for each in drawn.inputs)
    assert any(torch.equal(each, first[0]) for each in drawn.inputs)
    assert {0.0, 0.25} == set(drawn.boxes[drawn.labels == 1][:, 0].tolist())


def test_draws_follow_the_given_randomness(queries):
    first, again, other = (queries(np.random.default_rng(seed), 8) for seed in (0, 0, 1))
    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, other.inputs)


def test_unchanged_means_every_row_once(queries):
    plain = queries.unchanged()
    assert torch.equal(plain.inputs, queries.views.tokens[0].float())
    torch.testing.assert_close(plain.boxes, queries.views.boxes[0], equal_nan=True)


def test_a_finding_without_a_drawn_box_is_left_out():
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], NONE, NONE])
    labels = torch.tensor([1, 1, 0])
    assert rewarded_rows(np.arange(3), labels, boxes).tolist() == [0, 2]
    assert rewarded_rows(np.array([1]), labels, boxes).tolist() == []


def test_labels_and_classes_say_whether_there_is_a_finding():
    assert presence_labels(TASK, drawn_cases(4).records).tolist() == [1, 1, 0, 1]
    classes = presence_classes(TASK)
    assert (list(classes.names), classes.empty) == (["nothing", "finding"], (0,))


def test_tuning_moves_the_localizer_and_not_the_tokens(policy, queries, tmp_path):
    before = {name: value.clone() for name, value in policy.localizer.state_dict().items()}
    tokens = queries.views.tokens.clone()
    config = RewardTuningConfig(steps=15, batch_size=8, rollouts=16, lr=5e-3, kl_weight=0.0)
    history = tune_with_rewards(policy, queries, presence_classes(TASK), config, tmp_path)
    rewards = [each["reward"] for each in history]
    assert np.mean(rewards[-6:]) > np.mean(rewards[:6]) + 0.2
    assert torch.equal(queries.views.tokens, tokens)
    after = policy.localizer.state_dict()
    assert not torch.equal(after["queries"], before["queries"])
    assert not policy.critic[-1].weight.any(), "the critic takes no part in `group`"
