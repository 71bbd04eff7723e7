"""The viewer's value: lossless images, windows that never touch the model input, boxes."""

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
from jomed_app.types import HeatMap, ImageRecord, Window
from jomed_app.ui import text
from jomed_app.ui.panels import operating, viewer
from jomed_app.ui.reading import Reading, reading_of
from jomed_app.ui.session import Case
from tests.ui.fake_engine import FakeEngine, FakeInfo, FakeTask, picture, png_bytes


def decoded(url: str) -> np.ndarray:
    head, data = url.split(",", 1)
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def sixteen_bit() -> ImageRecord:
    ramp = np.linspace(0, 60000, 64 * 64, dtype=np.uint16).reshape(64, 64)
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, format="PNG")
    return read_image(buffer.getvalue())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_images_are_lossless(rows, columns, is_color):
    rng = np.random.default_rng(rows * 41 + columns)
    shape = (rows, columns, 3) if is_color else (rows, columns)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    back = decoded(viewer.png_data_url(pixels))
    if is_color and back.ndim == 2:
        back = np.repeat(back[..., None], 3, axis=2)
    np.testing.assert_array_equal(back, pixels)


def test_large_images_are_capped_and_keep_their_shape():
    back = decoded(viewer.png_data_url(np.zeros((1000, 4000), dtype=np.uint8)))
    assert back.shape == (256, 1024)


def test_at_first_the_query_is_what_the_model_sees():
    image = sixteen_bit()
    np.testing.assert_array_equal(decoded(viewer.render_query(image)), image.model_input[..., 0])


def test_a_window_uses_the_full_range_and_leaves_the_model_input():
    image = sixteen_bit()
    before = image.model_input.copy()
    narrow = decoded(viewer.render_query(image, Window(center=30000, width=600)))
    assert len(np.unique(narrow)) > 35  # 600 of 60000 values; two or three gray levels in 8 bits
    np.testing.assert_array_equal(image.model_input, before)


@pytest.mark.parametrize("image", [sixteen_bit(), read_image(png_bytes())])
def test_window_controls_cover_the_values(image):
    controls = viewer.window_controls(image)
    assert controls["low"] <= controls["center"] <= controls["high"]
    assert 0 < controls["step"] < controls["width"] <= controls["widest"]
    assert 1 <= len(controls["presets"]) <= viewer.MAX_PRESETS
    assert all(preset["width"] > 0 for preset in controls["presets"])


def test_a_flat_image_still_has_a_window():
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 80).save(buffer, format="PNG")
    controls = viewer.window_controls(read_image(buffer.getvalue()))
    assert controls["width"] > 0
    assert controls["high"] > controls["low"]


def test_the_page_gets_a_window_by_token_only():
    case = Case(image=sixteen_bit())
    window_query = viewer.window_server(lambda token: case if token == case.token else None)
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


def test_the_value_is_json_and_knows_no_file_name():
    image = read_image(png_bytes())
    engine = FakeEngine()
    reading = Reading(info=image.info)
    for event in engine.run(image):
        reading = reading.after(event)
    value = viewer.viewer_value(Case(image=image, is_simulated=True), reading, engine)
    json.dumps(value, allow_nan=False)
    query = value["panes"][0]
    assert (query["columns"], query["rows"]) == (480, 360)
    assert query["simulated"] is True
    assert [box["label"] for box in query["boxes"]] == ["malignant", "benign"]
    candidate = value["panes"][1]
    assert (candidate["columns"], candidate["rows"]) == (480, 480)  # boxes are in file pixels
    assert decoded(candidate["image"]).shape == (256, 256)
    assert candidate["boxes"][0]["label"] == "known"
    np.testing.assert_array_equal(decoded(candidate["image"]), picture(20))


def value_after(engine: FakeEngine, update: dict | None = None) -> dict:
    image = read_image(png_bytes())
    result = list(engine.run(image))[-1].result.model_copy(update=update or {})
    return viewer.viewer_value(Case(image=image), reading_of(result), engine)


def test_the_value_carries_the_layers_and_what_the_threshold_means():
    value = value_after(FakeEngine())
    assert [step["from"] for step in value["operating"]] == [0.0, 0.2, 0.5, 0.8]
    assert "40 fake images" in value["operating"][1]["at"]
    assert decoded(value["heat"]["image"]).shape == (152, 190)  # 8 x 10 values
    assert len(value["usual"]["boxes"]) == 3


def test_the_search_that_is_shown_says_what_its_threshold_means():
    standard = FakeInfo(measured_on="30 others", box_operating_points=())
    image = read_image(png_bytes())
    engine = FakeEngine(info=FakeInfo(standard=standard))
    case = Case(image=image, retrieval="standard")
    value = viewer.viewer_value(case, Reading(info=image.info, retrieval="standard"), engine)
    assert [step["at"] for step in value["operating"]] == [operating.UNKNOWN]


def test_each_search_has_its_own_heat_map():
    image = read_image(png_bytes())
    case = Case(image=image)
    urls = []
    for retrieval, values in (("joint", (0.0, 1.0)), ("standard", (1.0, 0.0))):
        engine = FakeEngine(heatmap=HeatMap(rows=1, columns=2, values=values))
        result = list(engine.run(image, retrieval=retrieval))[-1].result
        urls.append(viewer.viewer_value(case, reading_of(result), engine)["heat"]["image"])
    assert urls[0] != urls[1]


def test_an_empty_overlay_never_looks_like_a_normal_reading():
    shown = value_after(FakeEngine(), {"boxes": ()})["panes"][0]
    assert shown["none"].startswith("No abnormality above this threshold")
    refused = value_after(FakeEngine(), {"boxes": (), "candidates": ()})["panes"][0]
    assert "was not read" in refused["none"]
    task = FakeTask(has_boxes=False)
    boxless = value_after(FakeEngine(info=FakeInfo(task=task)), {"boxes": ()})["panes"][0]
    assert "has no boxes" in boxless["none"]
    for pane in (shown, refused, boxless):
        assert "does not mean normal" in pane["none"]
    assert "does not mean normal" in text.VIEWER_WORDS["below"]


@pytest.mark.parametrize("name", ["viewer.html", "viewer.js", "toolbar.html", "toolbar.js"])
def test_templates_hold_nothing_that_gradio_would_expand(name):
    content = viewer.static_text(name)
    if name.endswith(".html"):
        assert "${" not in content
        assert "{{" not in content
        assert "`" not in content
    for outside in ("http://", "https://", "//cdn"):
        assert outside not in content.replace("http://www.w3.org/2000/svg", "")
