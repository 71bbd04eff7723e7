"""One look at a picture, whatever its size and however it is stored."""

from __future__ import annotations

import numpy as np

from jomed_app.imaging.content.look import look
from jomed_app.simulator import simulate_case


def test_gray_and_equal_channels_look_alike():
    gray = simulate_case(6_000, size_px=300).image
    rgb = np.repeat(gray[:, :, None], 3, axis=2)
    assert look(rgb, is_gray=True) == look(rgb, is_gray=False)


def test_a_picture_of_any_size_is_looked_at():
    for rows, columns in ((1, 1), (1, 900), (3, 3), (48, 48), (2000, 5)):
        rgb = np.random.default_rng(0).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
        content = look(rgb, is_gray=False)
        assert 0 <= content.colored_share <= 1
        assert 0 <= content.smooth_share <= 1
        assert 0 <= content.num_levels <= 256
