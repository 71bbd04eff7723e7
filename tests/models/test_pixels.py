"""Letterboxing: proportions stay true and boxes travel there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jomed_app.boxes import Box
from jomed_app.imaging.grayscale import as_rgb
from jomed_app.models.pixels import Letterbox, letterbox, to_pixel_values

SIDES = st.integers(40, 700)


def test_a_wide_image_lies_in_the_middle():
    image = np.full((50, 100, 3), 255, dtype=np.uint8)
    square = letterbox(image, 64)
    assert square.shape == (64, 64, 3)
    assert square[:16].max() == 0
    assert square[48:].max() == 0
    assert square[16:48].min() == 255


def test_a_fitting_square_is_untouched():
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    assert letterbox(image, 64) is image


@pytest.mark.parametrize(("rows", "columns"), [(301, 97), (64, 48), (20, 700)])
def test_channels_in_the_same_memory_change_nothing(rows, columns):
    gray = np.random.default_rng(rows).integers(0, 256, (rows, columns), dtype=np.uint8)
    shared = as_rgb(gray)
    np.testing.assert_array_equal(letterbox(shared, 64), letterbox(shared.copy(), 64))


def test_box_to_unit_by_hand():
    # 100 x 50 px in a square of 64: scale 0.64, 16 px margin above.
    unit = Letterbox(50, 100, 64).to_unit(Box(0, 0, 50, 25))
    assert unit.as_tuple() == pytest.approx((0.0, 0.25, 0.5, 0.5))


@settings(max_examples=30, deadline=None)
@given(
    SIDES,
    SIDES,
    st.tuples(*[st.floats(0.0, 0.45)] * 2),
    st.tuples(*[st.floats(0.55, 1.0)] * 2),
)
def test_a_box_returns(rows, columns, low, high):
    box = Box(low[0] * columns, low[1] * rows, high[0] * columns, high[1] * rows)
    place = Letterbox(rows, columns, 256)
    back = place.to_image(place.to_unit(box))
    assert back is not None
    assert back.as_tuple() == pytest.approx(box.as_tuple(), abs=1e-3)


def test_a_box_in_the_margin_is_none():
    assert Letterbox(50, 100, 64).to_image(Box(0.1, 0.0, 0.9, 0.2)) is None


def test_a_box_half_in_the_margin_is_clipped():
    box = Letterbox(50, 100, 64).to_image(Box(0.0, 0.0, 0.5, 0.5))
    assert box is not None
    assert box.as_tuple() == pytest.approx((0, 0, 50, 25))


@settings(max_examples=30, deadline=None)
@given(st.integers(80, 300), st.integers(80, 300))
def test_a_painted_rectangle_lies_where_its_box_says(rows, columns):
    image = np.zeros((rows, columns, 3), dtype=np.uint8)
    box = Box(columns // 4, rows // 5, columns // 2, rows // 2)
    image[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = 255
    ys, xs = np.nonzero(letterbox(image, 128)[..., 0] > 127)
    found = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    expected = np.array(Letterbox(rows, columns, 128).to_unit(box).as_tuple()) * 128
    assert found == pytest.approx(expected, abs=1.01)


def test_pixel_values_by_hand():
    square = np.zeros((2, 2, 3), dtype=np.uint8)
    square[0, 1] = (127, 255, 0)
    values = to_pixel_values([square])
    assert values.shape == (1, 3, 2, 2)
    torch.testing.assert_close(values[0, :, 0, 1], torch.tensor([0.0, 1.0, -127 / 128]))


def test_boxes_of_a_part_are_in_px_of_its_file():
    part, whole = Letterbox(50, 100, 64, left=30, top=20), Letterbox(50, 100, 64)
    box = part.to_image(Box(0.0, 0.25, 0.5, 0.5))
    assert box == whole.to_image(Box(0.0, 0.25, 0.5, 0.5)).shifted(30, 20)
    assert part.to_unit(box).as_tuple() == pytest.approx((0.0, 0.25, 0.5, 0.5))


@pytest.mark.parametrize(("rows", "columns"), [(37, 91), (224, 224), (480, 640), (1500, 1111)])
def test_colors_are_resized_apart_to_the_same_levels(rows, columns):
    image = np.random.default_rng(0).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    place = Letterbox(rows, columns, 128)
    at_once = Image.fromarray(image).resize(place.size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    (left, top), (width, height) = place.offset, place.size
    apart = letterbox(image, 128)[top : top + height, left : left + width]
    np.testing.assert_array_equal(apart, np.asarray(at_once))
