"""Pixels as data URLs: lossless, capped, gray where they are gray."""

from __future__ import annotations

import base64
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jomed_app.ui.images import MAX_DISPLAY_PX, png_data_url


def decoded(url: str) -> np.ndarray:
    head, data = url.split(",", 1)
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_images_are_lossless(rows, columns, is_color):
    rng = np.random.default_rng(rows * 41 + columns)
    shape = (rows, columns, 3) if is_color else (rows, columns)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    back = decoded(png_data_url(pixels))
    if is_color and back.ndim == 2:
        back = np.repeat(back[..., None], 3, axis=2)
    np.testing.assert_array_equal(back, pixels)


def test_gray_is_sent_once():
    gray = np.arange(60, dtype=np.uint8).reshape(6, 10)
    assert decoded(png_data_url(np.repeat(gray[..., None], 3, axis=2))).shape == (6, 10)


def test_a_large_color_image_is_shrunk_as_pillow_shrinks_it():
    pixels = np.random.default_rng(2).integers(0, 256, (700, 2048, 3), dtype=np.uint8)
    whole = Image.fromarray(pixels).resize((1024, 350), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(decoded(png_data_url(pixels)), np.asarray(whole))


def test_large_images_are_capped_and_keep_their_shape():
    back = decoded(png_data_url(np.zeros((1000, 4000), dtype=np.uint8)))
    assert back.shape == (256, MAX_DISPLAY_PX)
