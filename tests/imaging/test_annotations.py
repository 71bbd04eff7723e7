"""Burnt-in marks: found on speckle, painted over, and little else touched."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from jomed_app.imaging.annotations import (
    fill_marked,
    find_annotations,
    mask_annotations,
)
from jomed_app.simulator import simulate_case

SIZE = 256


def speckle(seed=0, level=70.0):
    """Fully developed speckle, as wide as in an ultrasound image of this size."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(2, SIZE, SIZE)), (0, 1.5, 2.0))
    envelope = np.hypot(*field)
    gray = np.clip(level * (envelope / envelope.mean()) ** 0.6, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def drawn_on(image, draw):
    """The image with marks drawn on it, and where."""
    canvas = Image.fromarray(image.copy())
    draw(ImageDraw.Draw(canvas))
    marked = np.asarray(canvas)
    return marked, (marked != image).any(axis=2)


def text(draw):
    draw.text((30, 200), "RT UOQ 12", fill=(255, 255, 255), font_size=16)


def cross(draw):
    draw.line((90, 100, 106, 100), fill=(250, 250, 250), width=1)
    draw.line((98, 92, 98, 108), fill=(250, 250, 250), width=1)


def dots(draw):
    for step in range(20):
        draw.rectangle((60 + 6 * step, 120, 61 + 6 * step, 121), fill=(240, 240, 240))


def yellow_cross(draw):
    draw.line((90, 100, 106, 100), fill=(220, 200, 20), width=2)
    draw.line((98, 92, 98, 108), fill=(220, 200, 20), width=2)


@pytest.mark.parametrize("draw", [text, cross, dots, yellow_cross])
def test_a_mark_falls_to_its_surroundings(draw):
    plain = speckle()
    marked, where = drawn_on(plain, draw)
    cleaned = mask_annotations(marked)
    assert marked[where].max() >= 220
    ring = ndimage.binary_dilation(where, iterations=8) & ~ndimage.binary_dilation(where)
    assert cleaned[where].max() <= plain[ring].max()
    error = np.abs(cleaned[where].astype(float) - plain[where].astype(float))
    assert error.mean() < 40


@pytest.mark.parametrize("draw", [text, cross, dots, yellow_cross])
def test_nearly_every_marked_pixel_is_found(draw):
    marked, where = drawn_on(speckle(), draw)
    assert find_annotations(marked)[where].mean() > 0.9


def test_what_is_not_marked_is_not_touched():
    marked, where = drawn_on(speckle(), text)
    changed = (mask_annotations(marked) != marked).any(axis=2)
    near = ndimage.binary_dilation(where, iterations=3)
    assert changed[~near].mean() < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_speckle_alone_stays(seed):
    image = speckle(seed)
    assert find_annotations(image).mean() < 0.01
    assert (mask_annotations(image) != image).any(axis=2).mean() < 0.01


@pytest.mark.parametrize(("seed", "kind"), [(1, "cyst"), (2, "carcinoma"), (4, "normal")])
def test_simulated_images_have_no_marks(seed, kind):
    gray = simulate_case(seed, kind, size_px=SIZE).image
    assert find_annotations(np.repeat(gray[..., None], 3, axis=2)).mean() < 0.01


def test_a_wide_bright_region_stays():
    image = speckle()
    image[100:160, 80:200] = 250
    assert not find_annotations(image)[110:150, 90:190].any()


def test_marks_at_the_border_are_found():
    marked, where = drawn_on(
        speckle(), lambda draw: draw.text((0, 0), "L 4", fill=(255, 255, 255), font_size=14)
    )
    assert find_annotations(marked)[where].mean() > 0.9


def test_filling_by_hand():
    image = np.full((9, 9, 3), 40, dtype=np.uint8)
    image[4, 4] = 255
    marked = np.zeros((9, 9), dtype=bool)
    marked[4, 4] = True
    assert (fill_marked(image, marked) == 40).all()
    assert image[4, 4, 0] == 255  # the image itself is not changed


def test_a_fill_joins_both_sides():
    image = np.zeros((20, 21, 3), dtype=np.uint8)
    image[:, 11:] = 200
    marked = np.zeros((20, 21), dtype=bool)
    marked[:, 8:13] = True
    row = fill_marked(image, marked)[10, 6:15, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert 0 < row[4] < 200


def test_nothing_to_fill_from():
    image = np.full((4, 4, 3), 7, dtype=np.uint8)
    assert (fill_marked(image, np.ones((4, 4), dtype=bool)) == image).all()


@pytest.mark.parametrize("function", [find_annotations, mask_annotations])
def test_shape_is_checked(function):
    with pytest.raises(ValueError, match=r"must have shape \(rows, columns, 3\), found \(4, 4\)"):
        function(np.zeros((4, 4), dtype=np.uint8))
