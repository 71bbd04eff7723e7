"""The viewer's value: panes with images, boxes and cards, as JSON that knows no file name."""

from __future__ import annotations

import json

import numpy as np
import pytest

from jomed_app.imaging import read_image
from jomed_app.types import HeatMap
from jomed_app.ui import text
from jomed_app.ui.panels.viewer import viewer
from jomed_app.ui.reading import Reading, reading_of
from jomed_app.ui.session import Case
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine, FakeInfo, FakeTask, picture, png_bytes
from tests.ui.hostile import tree_of
from tests.ui.test_images import decoded


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
    assert [step["at"] for step in value["operating"]] == [text.THRESHOLD_UNKNOWN]


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


@pytest.mark.parametrize(
    ("provenance", "is_simulated"),
    [
        ({"source": "Simulated breast ultrasound"}, True),
        ({"Simulated": "TRUE"}, True),
        ({"simulated": "false", "source": "BUSI"}, False),
        ({}, False),
    ],
)
def test_a_pane_says_that_its_case_is_simulated(provenance, is_simulated):
    class Indexed(FakeEngine):
        def candidate(self, candidate_id):
            record = super().candidate(candidate_id)
            return record.model_copy(update={"provenance": provenance})

    panes = value_after(Indexed())["panes"]
    assert {pane["simulated"] for pane in panes[1:]} == {is_simulated}


def test_the_frame_has_the_places_that_the_script_fills():
    html = render(viewer.Viewer())
    assert tree_of(html)[0][0] == "div"
    for part in ("tools", "empty", "panes", "query-holder", "cases", "findings", "search-change"):
        assert html.count(f'data-part="{part}"') == 1


def test_without_a_case_the_viewer_says_what_to_do():
    value = viewer.empty_value()
    assert (value["panes"], value["title"]) == ([], text.EMPTY_TITLE)
