"""The guess of polarity: its two facts by hand values, and what inverting changes."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.imaging.content.polarity import fall_with_depth, grain_growth, uprightness
from jomed_app.simulator import simulate_case


def grainy(seed=0, side=96):
    """Grain in proportion to brightness, which falls from the top down."""
    rng = np.random.default_rng(seed)
    level = np.linspace(160, 30, side)[:, None] * np.ones(side)
    return np.clip(level * (1 + 0.2 * rng.standard_normal((side, side))), 0, 255).astype(np.uint8)


def test_inverting_changes_the_sign_alone():
    for seed in range(5):
        gray = grainy(seed)
        assert uprightness(gray) == pytest.approx(-uprightness(255 - gray), abs=1e-5)
        assert uprightness(gray) > 1.0


def test_depth_is_the_lower_third():
    gray = np.zeros((9, 6), np.uint8)
    gray[:3] = 255
    assert fall_with_depth(gray) == 2.0
    assert fall_with_depth(gray[::-1]) == -2.0
    assert fall_with_depth(np.full((9, 6), 80, np.uint8)) == 0.0


def test_grain_that_grows_and_grain_that_does_not():
    rng = np.random.default_rng(0)
    level = np.repeat(np.linspace(40, 200, 12), 8)[:, None]
    growing = level + level / 10 * rng.standard_normal((96, 96))
    assert grain_growth(np.clip(growing, 0, 255).astype(np.uint8)) > 0.9
    even = level + 8 * rng.standard_normal((96, 96))
    assert abs(grain_growth(np.clip(even, 0, 255).astype(np.uint8))) < 0.4


@pytest.mark.parametrize("gray", [np.zeros((64, 64)), np.tile(np.arange(64), (64, 1))])
def test_without_grain_nothing_is_told(gray):
    assert grain_growth(gray.astype(np.uint8)) == 0.0


def test_a_small_picture_is_not_guessed():
    assert uprightness(np.zeros((47, 200), np.uint8)) is None
    assert uprightness(np.zeros((48, 200), np.uint8)) == 0.0


@pytest.mark.parametrize("seed", range(5_000, 5_012))
def test_simulated_scans_are_told(seed):
    gray = simulate_case(seed, size_px=240).image
    assert uprightness(gray) > 0.1
