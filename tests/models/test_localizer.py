from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.models.localizer import (
    WINDOW_BINS,
    Localizer,
    LocalizerConfig,
    load_localizer,
    peak_expectation,
)

BINS = 16


@pytest.fixture
def localizer():
    """Small and of random weights, drawn large enough that images differ."""
    torch.manual_seed(0)
    small = Localizer(LocalizerConfig(token_size=10, width=12, num_layers=1, location_bins=BINS))
    return small.eval()


def tokens(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 9, 10, generator=torch.Generator().manual_seed(1))


def point_at(localizer: Localizer, edges: tuple[int, ...], presence: float) -> None:
    """Let the four edge queries name these bins for whatever image."""
    heads = torch.full((4, BINS), -40.0)
    heads[range(4), list(edges)] = 40.0
    logits = heads.expand(1, -1, -1), torch.tensor([presence])
    localizer.forward = lambda tokens: logits  # type: ignore[method-assign,assignment]


def test_edges_and_presence_have_their_shapes(localizer):
    edges, presence = localizer(tokens())
    assert (edges.shape, presence.shape) == ((3, 4, BINS), (3,))


def test_images_do_not_touch_each_other(localizer):
    together, there = localizer(tokens())
    alone, here = localizer(tokens()[1:2])
    torch.testing.assert_close(alone[0], together[1])
    torch.testing.assert_close(here[0], there[1])
    assert not torch.allclose(together[0], together[1], atol=1e-4)


def test_the_box_is_whole_and_inside(localizer):
    for scale in (1.0, 30.0):
        for found in localizer.locate(scale * tokens(8)):
            x0, y0, x1, y1 = found.box.as_tuple()
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
            assert 0 <= found.presence <= 1
            assert 0 < found.confidence <= 1 + 1e-5


def test_a_sure_localizer_by_hand(localizer):
    """Edges count with half a bin to either side: bins 4 to 11 are a half of the square."""
    point_at(localizer, (4, 2, 11, 5), 0.0)
    (found,) = localizer.locate(tokens(1))
    assert found.box.as_tuple() == pytest.approx((0.25, 0.125, 0.75, 0.375))
    assert (found.presence, found.confidence) == pytest.approx((0.5, 1.0))


def test_edges_said_the_wrong_way_round_are_the_same_box(localizer):
    point_at(localizer, (11, 2, 4, 5), 2.0)
    (found,) = localizer.locate(tokens(1))
    assert found.box.as_tuple() == pytest.approx((0.25, 0.125, 0.75, 0.375))


def test_a_file_keeps_what_was_learned(localizer, tmp_path):
    localizer.save_pretrained(tmp_path)
    again = load_localizer(tmp_path)
    assert not again.training
    assert again.locate(tokens()) == localizer.locate(tokens())


def test_the_place_of_a_single_bin_is_its_middle():
    probability = torch.zeros(10)
    probability[3] = 1.0
    assert peak_expectation(probability, 2) == pytest.approx((0.35, 3, 1.0))


def test_the_place_is_the_mean_around_the_peak():
    probability = torch.tensor([0.0, 0.2, 0.6, 0.2, 0.0, 0.0, 0.0, 0.0])
    value, peak, mass = peak_expectation(probability, 1)
    assert (value, peak, mass) == pytest.approx((2.5 / 8, 2, 1.0))


def test_a_second_peak_far_away_moves_nothing_but_the_mass():
    probability = torch.zeros(20)
    probability[2], probability[3], probability[17] = 0.4, 0.2, 0.4 - 1e-3
    value, peak, mass = peak_expectation(probability, 2)
    assert (value, peak) == pytest.approx(((0.4 * 2.5 + 0.2 * 3.5) / 0.6 / 20, 2))
    assert mass == pytest.approx(0.6 / 0.999)


bins = st.lists(st.floats(2**-20, 1.0, width=32), min_size=2, max_size=64)


@settings(deadline=None)  # a busy machine is no fault
@given(bins)
def test_the_place_stays_near_the_peak(values):
    probability = torch.tensor(values)
    value, peak, mass = peak_expectation(probability, WINDOW_BINS)
    assert probability[peak] == probability.max()
    assert 0 < value < 1
    assert abs(value - (peak + 0.5) / len(values)) <= WINDOW_BINS / len(values) + 1e-6
    assert 0 < mass <= 1 + 1e-5


@settings(deadline=None)  # a busy machine is no fault
@given(bins, st.floats(0.01, 100.0))
def test_the_place_does_not_depend_on_the_scale(values, factor):
    probability = torch.tensor(values, dtype=torch.float64)
    assert peak_expectation(factor * probability, 3) == pytest.approx(
        peak_expectation(probability, 3), rel=1e-4
    )
