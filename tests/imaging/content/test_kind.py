"""Colour, grain and gray levels by hand values."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.imaging.content.kind import colored_share, num_levels, smooth_share


def test_black_does_not_count_as_gray_nor_as_colored():
    red = np.zeros((4, 4), np.uint8)
    red[0] = 200  # four of the pixels are lit, all of them red
    black = np.zeros_like(red)
    assert colored_share(red, black, black) == 1.0
    assert colored_share(black, black, black) == 0.0


@pytest.mark.parametrize(("difference", "share"), [(8, 0.0), (9, 1.0)])
def test_a_color_differs_by_more_than_compression_makes(difference, share):
    gray = np.full((3, 3), 100, np.uint8)
    assert colored_share(gray + np.uint8(difference), gray, gray) == share


def test_channels_may_change_places():
    channels = np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8)
    assert colored_share(*channels) == colored_share(*channels[::-1])


def test_a_ramp_is_smooth_and_noise_is_not():
    ramp = np.tile(np.arange(20, 220, dtype=np.uint8), (50, 1))
    assert smooth_share(ramp) == 1.0
    assert smooth_share(ramp.T) == 1.0
    noise = np.random.default_rng(0).integers(20, 220, (50, 200), dtype=np.uint8)
    assert smooth_share(noise) < 0.1


def test_black_and_white_alone_is_smooth():
    assert smooth_share(np.eye(9, dtype=np.uint8) * 255) == 1.0


def test_levels_are_counted_until_nine_tenths_are_reached():
    gray = np.repeat(np.array([100, 150, 200], np.uint8), [80, 15, 5])[None]
    assert num_levels(gray) == 2
    assert num_levels(np.repeat(gray, 3, axis=0)) == 2
    assert num_levels(np.append(gray, np.zeros((1, 900), np.uint8), axis=1)) == 2
    assert num_levels(np.zeros((5, 5), np.uint8)) == 0
