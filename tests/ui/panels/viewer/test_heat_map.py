"""Where the model looked: a layer that keeps every value's place, with its legend."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jomed_app.imaging import read_image
from jomed_app.types import HeatMap
from jomed_app.ui import text
from jomed_app.ui.panels.viewer import heat_map
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case
from tests.ui.fake_engine import FakeEngine, png_bytes


def opened(engine: FakeEngine) -> tuple[Case, Reading]:
    image = read_image(png_bytes())
    reading = Reading(info=image.info)
    for event in engine.run(image):
        reading = reading.after(event)
    return Case(image=image), reading


def layer(url: str) -> np.ndarray:
    """Return (rows, columns, 4) uint8 RGBA."""
    head, data = url.split(",", 1)
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def test_the_palette_rises_in_lightness_and_in_cover():
    palette = heat_map.heat_palette().astype(float)
    assert palette.shape == (256, 4)
    lightness = palette[:, :3] @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > -1.0).all()  # one level of rounding
    assert lightness[-1] - lightness[0] > 180
    assert (np.diff(palette[:, 3]) >= 0).all()
    assert palette[0, 3] == 0
    assert 100 < palette[-1, 3] < 200, "the film must stay visible"


def test_the_brightest_place_is_that_of_the_largest_value():
    values = [0.0] * 12
    values[1 * 4 + 2] = 1.0
    levels = heat_map.heat_levels(HeatMap(rows=3, columns=4, values=tuple(values)))
    assert levels.shape == (144, 192)
    y, x = np.unravel_index(levels.argmax(), levels.shape)
    assert abs(x / 192 - 2.5 / 4) < 0.02
    assert abs(y / 144 - 1.5 / 3) < 0.02
    assert levels.max() > 240
    assert levels[:, :40].max() <= 2  # a cubic kernel swings a little


def test_the_layer_is_smooth():
    levels = heat_map.heat_levels(HeatMap(rows=1, columns=2, values=(0.0, 1.0))).astype(int)
    assert np.abs(np.diff(levels, axis=1)).max() < 8


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_an_even_map_stays_even(rows, columns, value):
    levels = heat_map.heat_levels(
        HeatMap(rows=rows, columns=columns, values=(value,) * (rows * columns))
    )
    assert np.abs(levels - value * 255).max() <= 1


def test_the_png_holds_the_palettes_colors():
    pixels = layer(heat_map.heat_data_url(HeatMap(rows=1, columns=1, values=(1.0,))))
    assert pixels.shape == (192, 192, 4)
    np.testing.assert_array_equal(pixels[50, 50], heat_map.heat_palette()[255])
    nothing = layer(heat_map.heat_data_url(HeatMap(rows=1, columns=1, values=(0.0,))))
    assert (nothing[..., 3] == 0).all()


def test_a_map_with_missing_values_is_refused():
    for rows, columns, values in ((2, 2, (0.1, 0.2, 0.3)), (0, 0, ())):
        with pytest.raises(ValueError, match="must hold as many values"):
            heat_map.heat_levels(HeatMap(rows=rows, columns=columns, values=values))


def test_the_heat_map_comes_with_its_legend():
    case, reading = opened(FakeEngine())
    value = heat_map.heat_value(case, reading)
    json.dumps(value, allow_nan=False)
    assert layer(value["image"])[..., 3].max() > 100
    assert "not a finding" in value["words"]
    assert value["ramp"].startswith("linear-gradient")
    assert len(value["image"]) < 40_000


def test_without_a_heat_map_the_reason_is_said():
    case, reading = opened(FakeEngine(heatmap=None))
    assert heat_map.heat_value(case, reading)["image"] is None
    assert heat_map.heat_value(case, reading)["words"] == text.HEAT_NONE
    waiting = Reading(info=case.image.info)
    assert heat_map.heat_value(case, waiting)["words"] == text.HEAT_WAITING
    refused = reading.result.model_copy(update={"candidates": ()})
    assert (
        heat_map.heat_value(case, Reading(info=case.image.info, result=refused))["words"]
        == text.HEAT_REFUSED
    )
