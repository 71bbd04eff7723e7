"""Expected places from bins, and heat maps without the letterbox's borders."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.models.localizer.detection import WINDOW_BINS, heat_in_image, peak_expectation
from jomed_app.models.pixels import Letterbox


def test_a_square_image_keeps_its_map():
    attention = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    torch.testing.assert_close(heat_in_image(attention, Letterbox(9, 9, 64)), attention / 0.4)


def test_the_borders_are_cut_off():
    """A wide image fills the two middle rows of four."""
    attention = torch.arange(16.0).view(4, 4)
    heat = heat_in_image(attention, Letterbox(50, 100, 64))
    torch.testing.assert_close(heat, attention[1:3] / 11)
    torch.testing.assert_close(heat_in_image(attention.T, Letterbox(100, 50, 64)), heat.T)


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (300, 400)])
def test_any_image_has_a_map_of_at_most_one(size):
    attention = torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    heat = heat_in_image(attention, Letterbox(*size, 320))
    assert heat.max() == 1.0
    assert heat.min() >= 0.0


def test_a_map_hot_on_the_borders_alone_is_cold():
    attention = torch.zeros(4, 4)
    attention[0, 0] = 1.0
    assert not heat_in_image(attention, Letterbox(50, 100, 64)).any()


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
