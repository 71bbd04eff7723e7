"""Display windows: ranges, presets, and renderings that never touch the model input."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from jomed_app.imaging import read_image
from jomed_app.types import ImageRecord, Window
from jomed_app.ui.panels.viewer import window
from jomed_app.ui.session import Case
from tests.ui.fake_engine import png_bytes
from tests.ui.test_images import decoded


def sixteen_bit() -> ImageRecord:
    ramp = np.linspace(0, 60000, 64 * 64, dtype=np.uint16).reshape(64, 64)
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, format="PNG")
    return read_image(buffer.getvalue())


def test_at_first_the_query_is_what_the_model_sees():
    image = sixteen_bit()
    np.testing.assert_array_equal(decoded(window.render_query(image)), image.model_input[..., 0])


def test_a_window_uses_the_full_range_and_leaves_the_model_input():
    image = sixteen_bit()
    before = image.model_input.copy()
    narrow = decoded(window.render_query(image, Window(center=30000, width=600)))
    assert len(np.unique(narrow)) > 35  # 600 of 60000 values; two or three gray levels in 8 bits
    np.testing.assert_array_equal(image.model_input, before)


@pytest.mark.parametrize("image", [sixteen_bit(), read_image(png_bytes())])
def test_window_controls_cover_the_values(image):
    controls = window.window_controls(image)
    assert controls["low"] <= controls["center"] <= controls["high"]
    assert 0 < controls["step"] < controls["width"] <= controls["widest"]
    assert 1 <= len(controls["presets"]) <= window.MAX_PRESETS
    assert all(preset["width"] > 0 for preset in controls["presets"])


def test_a_flat_image_still_has_a_window():
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 80).save(buffer, format="PNG")
    controls = window.window_controls(read_image(buffer.getvalue()))
    assert controls["width"] > 0
    assert controls["high"] > controls["low"]


def test_the_page_gets_a_window_by_token_only():
    case = Case(image=sixteen_bit())
    window_query = window.window_server(lambda token: case if token == case.token else None)
    asked = {"case": case.token, "center": 30000, "width": 600}
    assert decoded(window_query(asked)).shape == (64, 64)
    for wrong in (
        {**asked, "case": "guess"},
        {**asked, "width": 0},
        {**asked, "width": -3},
        {**asked, "center": "NaN"},
        {**asked, "center": None},
        {"case": case.token},
        {},
        None,
        [],
    ):
        assert window_query(wrong) is None
