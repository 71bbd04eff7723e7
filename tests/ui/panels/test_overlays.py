"""Layers over the query: the heat map as an image, the usual place as boxes and as a sentence."""

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
from jomed_app.types import CandidateResult, HeatMap
from jomed_app.ui import text
from jomed_app.ui.panels import overlays
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case
from tests.ui.fake_engine import FakeEngine, png_bytes

UPPER_LEFT, UPPER_MIDDLE, LOWER_RIGHT = (0, 0, 20, 20), (40, 5, 60, 25), (80, 80, 100, 100)


def candidate(rank: int, weight: float, *boxes, size=(100, 100)) -> CandidateResult:
    return CandidateResult(
        rank=rank, candidate_id=f"case-{rank}", heads=("image",), retriever_score=0.5,
        weight=weight, similarity_percentile=90.0, label="benign", passage="",
        rows=size[0], columns=size[1], boxes=boxes,
    )  # fmt: skip


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


# ---- heat map ----


def test_the_palette_rises_in_lightness_and_in_cover():
    palette = overlays.heat_palette().astype(float)
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
    levels = overlays.heat_levels(HeatMap(rows=3, columns=4, values=tuple(values)))
    assert levels.shape == (144, 192)
    y, x = np.unravel_index(levels.argmax(), levels.shape)
    assert abs(x / 192 - 2.5 / 4) < 0.02
    assert abs(y / 144 - 1.5 / 3) < 0.02
    assert levels.max() > 240
    assert levels[:, :40].max() <= 2  # a cubic kernel swings a little


def test_the_layer_is_smooth():
    levels = overlays.heat_levels(HeatMap(rows=1, columns=2, values=(0.0, 1.0))).astype(int)
    assert np.abs(np.diff(levels, axis=1)).max() < 8


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_an_even_map_stays_even(rows, columns, value):
    levels = overlays.heat_levels(
        HeatMap(rows=rows, columns=columns, values=(value,) * (rows * columns))
    )
    assert np.abs(levels - value * 255).max() <= 1


def test_the_png_holds_the_palettes_colors():
    pixels = layer(overlays.heat_data_url(HeatMap(rows=1, columns=1, values=(1.0,))))
    assert pixels.shape == (192, 192, 4)
    np.testing.assert_array_equal(pixels[50, 50], overlays.heat_palette()[255])
    nothing = layer(overlays.heat_data_url(HeatMap(rows=1, columns=1, values=(0.0,))))
    assert (nothing[..., 3] == 0).all()


def test_a_map_with_missing_values_is_refused():
    for rows, columns, values in ((2, 2, (0.1, 0.2, 0.3)), (0, 0, ())):
        with pytest.raises(ValueError, match="must hold as many values"):
            overlays.heat_levels(HeatMap(rows=rows, columns=columns, values=values))


def test_the_heat_map_comes_with_its_legend():
    case, reading = opened(FakeEngine())
    value = overlays.heat_value(case, reading)
    json.dumps(value, allow_nan=False)
    assert layer(value["image"])[..., 3].max() > 100
    assert "not a finding" in value["words"]
    assert value["ramp"].startswith("linear-gradient")
    assert len(value["image"]) < 40_000


def test_without_a_heat_map_the_reason_is_said():
    case, reading = opened(FakeEngine(heatmap=None))
    assert overlays.heat_value(case, reading)["image"] is None
    assert overlays.heat_value(case, reading)["words"] == text.HEAT_NONE
    waiting = Reading(info=case.image.info)
    assert overlays.heat_value(case, waiting)["words"] == text.HEAT_WAITING
    refused = reading.result.model_copy(update={"candidates": ()})
    assert (
        overlays.heat_value(case, Reading(info=case.image.info, result=refused))["words"]
        == text.HEAT_REFUSED
    )


# ---- usual place ----


def test_boxes_become_fractions_of_their_own_image():
    (box,) = overlays.relative_boxes(candidate(1, 1.0, (50, 20, 100, 40), size=(80, 200)))
    assert box.as_tuple() == (0.25, 0.25, 0.5, 0.5)


def test_boxes_beyond_the_image_are_cut_and_empty_ones_left_out():
    boxes = overlays.relative_boxes(
        candidate(1, 1.0, (90, 90, 120, 120), (-5, 0, 50, 60), (120, 0, 130, 9))
    )
    assert [box.as_tuple() for box in boxes] == [(0.0, 0.0, 0.5, 0.6), (0.9, 0.9, 1.0, 1.0)]


def test_a_case_of_unknown_size_has_no_usual_place():
    old = candidate(1, 1.0).model_copy(update={"rows": 0, "columns": 0, "boxes": (UPPER_LEFT,)})
    assert overlays.relative_boxes(old) == []
    assert "none has a known box" in overlays.usual_words([old])


@pytest.mark.parametrize(
    ("edges", "zone"),
    [
        (UPPER_LEFT, "upper left"),
        (UPPER_MIDDLE, "upper middle"),
        ((40, 40, 60, 60), "center"),
        ((0, 0, 100, 100), "center"),
        ((0, 40, 20, 60), "middle left"),
        ((80, 40, 100, 60), "middle right"),
        ((40, 80, 60, 100), "lower middle"),
        (LOWER_RIGHT, "lower right"),
        ((99, 99, 100, 100), "lower right"),
    ],
)
def test_zones(edges, zone):
    (box,) = overlays.relative_boxes(candidate(1, 1.0, edges))
    assert overlays.zone_of(box) == zone


def test_the_most_common_place_is_named_with_its_weight():
    cases = [
        candidate(1, 0.4, UPPER_MIDDLE),
        candidate(2, 0.3, LOWER_RIGHT),
        candidate(3, 0.2, UPPER_MIDDLE),
        candidate(4, 0.1),
    ]
    assert overlays.usual_words(cases) == (
        "In 2 of 4 similar cases (weight 0.60) the finding lies in the upper middle of the image; "
        "1 elsewhere; 1 has no known box."
    )


def test_equal_counts_are_both_named_the_heavier_first():
    cases = [
        candidate(1, 0.1, LOWER_RIGHT),
        candidate(2, 0.1, LOWER_RIGHT),
        candidate(3, 0.5, UPPER_LEFT),
        candidate(4, 0.3, UPPER_LEFT),
    ]
    assert overlays.usual_words(cases) == (
        "In 2 of 4 similar cases (weight 0.80) the finding lies in the upper left, "
        "in 2 (weight 0.20) in the lower right of the image."
    )


def test_no_common_place_is_claimed_where_there_is_none():
    cases = [candidate(1, 0.5, UPPER_LEFT), candidate(2, 0.3, LOWER_RIGHT), candidate(3, 0.2)]
    assert overlays.usual_words(cases) == (
        "In 2 of 3 similar cases the findings lie in 2 different places; 1 has no known box."
    )


def test_one_box_among_several_cases_is_said_to_be_one():
    cases = [candidate(1, 0.5, UPPER_LEFT), candidate(2, 0.3), candidate(3, 0.2)]
    assert overlays.usual_words(cases) == (
        "In 1 of 3 similar cases (weight 0.50) the finding lies in the upper left of the image; "
        "2 have no known box."
    )


def test_the_largest_box_of_a_case_counts():
    words = overlays.usual_words([candidate(1, 1.0, (0, 0, 5, 5), LOWER_RIGHT)])
    assert words == (
        "In 1 of 1 similar case (weight 1.00) the finding lies in the lower right of the image."
    )


def test_none_with_a_box_is_said():
    value = overlays.usual_value(
        Reading(info=read_image(png_bytes()).info, candidates=(candidate(1, 1.0),))
    )
    assert value == {
        "boxes": [],
        "words": "Of 1 similar case, none has a known box: there is no usual place to show.",
        "ready": True,
    }


def test_the_boxes_carry_rank_and_weight():
    _, reading = opened(FakeEngine())
    value = overlays.usual_value(reading)
    json.dumps(value, allow_nan=False)
    assert [box["label"] for box in value["boxes"]] == ["#1 0.41", "#2 0.27", "#3 0.20"]
    assert value["boxes"][0]["strength"] == 1.0
    assert value["boxes"][0]["x0"] == pytest.approx(0.41)
    assert value["words"].startswith("In 3 of 4 similar cases (weight 0.88) the finding lies")
    assert text.USUAL_NOTE in value["words"]


def test_before_any_case_is_found_there_is_a_reason():
    value = overlays.usual_value(Reading(info=read_image(png_bytes()).info))
    assert value == {"boxes": [], "words": text.USUAL_WAITING, "ready": False}
