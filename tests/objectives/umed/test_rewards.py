"""Rewards: hand values, ranges, the undefined cases, error texts."""

from __future__ import annotations

import re
from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.boxes import Box, iou
from jomed_app.objectives.umed.rewards import (
    AliasJudge,
    Statement,
    box_coverage,
    localization_reward,
    pairwise_iou,
    relevance_reward,
    vision_relevance_reward,
)

NONE = [torch.nan] * 4
A, B, C = [0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], [5.0, 5.0, 6.0, 6.0]
INVERTED = [2.0, 2.0, 0.0, 0.0]


# --- relevance


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (Statement("cyst"), 0.75),
        (Statement("cyst", {"shape": "oval", "margin": "smooth"}), 1.0),
        (Statement("Cyst ", {"shape": "round", "margin": "smooth"}), 0.875),
        (Statement("mass", {"shape": "oval", "margin": "smooth"}), 0.25),
        (Statement("mass"), 0.0),
        (None, 0.0),
    ],
    ids=["class alone", "all", "one of two", "wrong class", "nothing", "unread"],
)
def test_relevance_by_hand(told, expected):
    truth = Statement("cyst", {"shape": "oval", "margin": "smooth"})
    assert relevance_reward([told], [truth]).tolist() == [expected]


def test_unknown_descriptors_do_not_count():
    told = [Statement("cyst", {"shape": "round"}), Statement("mass")]
    assert relevance_reward(told, [Statement("cyst")] * 2).tolist() == [1.0, 0.0]


def test_an_alias_counts_and_silence_never_does():
    judge = AliasJudge({"cyst": ("simple cyst",), "mass": ("tumor", "lesion")})
    pairs = [("Simple  Cyst", "cyst"), ("lesion", "tumor"), ("cyst", "tumor"), ("", ""), ("x", "X")]
    assert [judge(*pair) for pair in pairs] == [1.0, 1.0, 0.0, 0.0, 1.0]


def test_another_judge_can_be_asked():
    def half(told, reference):
        return 0.5

    truth = [Statement("cyst", {"shape": "oval"})]
    assert relevance_reward([Statement("mass")], truth, half).tolist() == [0.5]
    with pytest.raises(ValueError, match=re.escape("a judge must answer in [0, 1], found [7.0")):
        relevance_reward([Statement("mass")], truth, lambda told, reference: 7.0)


def test_every_response_needs_a_truth():
    with pytest.raises(ValueError, match="needs one true statement, found 1 and 0"):
        relevance_reward([None], [])


# --- localization


@pytest.mark.parametrize(
    ("predicted", "reference", "expected"),
    [
        ([A], [A], 1.0),
        ([A], [B], 1 / 7),
        ([A], [[2.0, 0.0, 4.0, 2.0]], 0.0),
        ([NONE], [A], 0.0),
        ([A], [NONE], 0.0),
        ([NONE], [NONE], 1.0),
        ([INVERTED], [A], 0.0),
        ([INVERTED], [NONE], 0.0),
        ([A, C], [A], 0.5),
        ([A], [C, A], 0.5),
        ([B, A], [A, C], 0.5),
        ([C, A], [A, C], 1.0),
        ([A, NONE], [A, NONE], 1.0),
        ([NONE, NONE], [NONE], 1.0),
    ],
)
def test_localization_by_hand(predicted, reference, expected):
    reward = localization_reward(torch.tensor([predicted]), torch.tensor([reference]))
    torch.testing.assert_close(reward, torch.tensor([expected]))


def test_what_could_not_be_read_earns_nothing():
    boxes = torch.tensor([[A], [NONE]])
    parsed = torch.tensor([False, False])
    assert localization_reward(boxes, boxes, parsed).tolist() == [0.0, 0.0]
    assert localization_reward(boxes, boxes, ~parsed).tolist() == [1.0, 1.0]


def test_no_room_for_boxes_is_no_box():
    empty, one = torch.zeros(1, 0, 4), torch.tensor([[A]])
    assert localization_reward(empty, empty).tolist() == [1.0]
    assert localization_reward(one, empty).tolist() == [0.0]
    assert localization_reward(torch.zeros(0, 2, 4), torch.zeros(0, 2, 4)).tolist() == []


coordinate = st.floats(0.0, 1.0, width=32)
corners = st.tuples(coordinate, coordinate, coordinate, coordinate)


@given(st.lists(corners, min_size=3, max_size=3), st.lists(corners, min_size=2, max_size=2))
def test_localization_is_bounded_symmetric_and_free_of_order(first, second):
    one, two = torch.tensor([first]), torch.tensor([second])
    reward = localization_reward(one, two)
    assert 0.0 <= reward.item() <= 1.0
    torch.testing.assert_close(localization_reward(two, one), reward)
    for order in permutations(range(3)):
        torch.testing.assert_close(localization_reward(one[:, list(order)], two), reward)


@given(corners, corners)
def test_iou_is_that_of_boxes(first, second):
    ordered = []
    for x0, y0, x1, y1 in (first, second):
        ordered.append((min(x0, x1), min(y0, y1), max(x0, x1) + 0.1, max(y0, y1) + 0.1))
    expected = iou(Box(*ordered[0]), Box(*ordered[1]))
    found = pairwise_iou(torch.tensor([[ordered[0]]]), torch.tensor([[ordered[1]]]))
    assert found.item() == pytest.approx(expected, abs=1e-5)


def test_boxes_must_fit():
    with pytest.raises(ValueError, match=r"found \(1, 2, 4\) and \(2, 2, 4\)"):
        localization_reward(torch.zeros(1, 2, 4), torch.zeros(2, 2, 4))


# --- vision relevance


def test_vision_relevance_by_hand():
    attention = torch.tensor([[[3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 2.0]]])
    region = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    both = vision_relevance_reward(attention, region)
    torch.testing.assert_close(both, torch.tensor([(0.75 + 0.0) / 2 - 0.25]))
    first = vision_relevance_reward(attention, region, torch.tensor([[True, False]]))
    torch.testing.assert_close(first, torch.tensor([0.5]))


def test_heads_and_layers_are_averaged_after_each_is_normalized():
    plain = torch.rand(2, 3, 4, 5, 9, generator=torch.Generator().manual_seed(0))
    region = torch.rand(2, 9, generator=torch.Generator().manual_seed(1))
    scaled = plain * torch.rand(2, 3, 4, 5, 1, generator=torch.Generator().manual_seed(2))
    found = vision_relevance_reward(scaled, region)
    torch.testing.assert_close(found, vision_relevance_reward(plain, region))
    mean = (plain / plain.sum(-1, keepdim=True)).mean((1, 2))
    torch.testing.assert_close(found, vision_relevance_reward(mean, region))


def test_moving_attention_away_costs():
    region = box_coverage(torch.tensor([[0.0, 0.0, 0.5, 0.5]]), 4, 4)
    attention = 0.1 + region[:, None]
    permuted = attention[..., torch.arange(16).flip(0)]
    there, away = (vision_relevance_reward(each, region).item() for each in (attention, permuted))
    assert there == pytest.approx(4 * 1.1 / 5.6 - 0.25)
    assert away == pytest.approx(4 * 0.1 / 5.6 - 0.25)
    both = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    same = vision_relevance_reward(attention[..., both], region[..., both])
    assert same.item() == pytest.approx(there)


@pytest.mark.parametrize("side", [0.25, 0.5, 1.0])
def test_attention_everywhere_alike_earns_nothing(side):
    region = box_coverage(torch.tensor([[0.0, 0.0, side, side]]), 4, 4)
    for attention in (torch.ones(1, 1, 16), torch.zeros(1, 1, 16)):
        assert vision_relevance_reward(attention, region).item() == pytest.approx(0.0, abs=1e-6)


@given(
    st.lists(st.floats(0, 100, width=32), min_size=9, max_size=9),
    st.lists(st.floats(0, 1, width=32), min_size=9, max_size=9),
)
def test_vision_relevance_keeps_its_range(attention, region):
    reward = vision_relevance_reward(torch.tensor([[attention]]), torch.tensor([region]))
    assert -1.0 - 1e-5 <= reward.item() <= 1.0 + 1e-5


def test_no_region_or_no_abnormality_token_earns_nothing():
    attention, region = torch.rand(1, 2, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert vision_relevance_reward(attention, torch.zeros(1, 4)).item() == 0.0
    silent = torch.zeros(1, 2, dtype=torch.bool)
    assert vision_relevance_reward(attention, region, silent).item() == 0.0


@pytest.mark.parametrize(
    ("attention", "mask"),
    [((1, 2, 5), None), ((2, 2, 4), None), ((1, 4), None), ((1, 2, 4), (1, 3))],
)
def test_attention_must_fit_region_and_mask(attention, mask):
    with pytest.raises(ValueError, match=r"must fit region \(N, P\) and token_mask"):
        vision_relevance_reward(
            torch.ones(attention), torch.ones(1, 4), None if mask is None else torch.ones(mask)
        )


def test_coverage_by_hand():
    boxes = torch.tensor(
        [[0.25, 0.0, 0.75, 0.5], [0.0, 0.0, 1.0, 1.0], [*NONE], [0.5, 0.5, 0.2, 0.2]]
    )
    expected = [[0.5, 0.5, 0.0, 0.0], [1.0] * 4, [0.0] * 4, [0.0] * 4]
    torch.testing.assert_close(box_coverage(boxes, 2, 2), torch.tensor(expected))
    wide = box_coverage(torch.tensor([[0.0, 0.0, 0.5, 1.0]]), 1, 4)
    torch.testing.assert_close(wide, torch.tensor([[1.0, 1.0, 0.0, 0.0]]))


@given(corners)
def test_coverage_sums_to_the_area(corner):
    x0, y0, x1, y1 = corner
    box = [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
    area = (box[2] - box[0]) * (box[3] - box[1])
    covered = box_coverage(torch.tensor([box]), 5, 7).sum().item() / 35
    assert covered == pytest.approx(area, abs=1e-5)
