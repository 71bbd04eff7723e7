"""Where similar cases show their finding: their known boxes as fractions, and a sentence."""

from __future__ import annotations

import json

import pytest

from jomed_app.imaging import read_image
from jomed_app.types import CandidateResult
from jomed_app.ui import text
from jomed_app.ui.panels.viewer import usual_place
from jomed_app.ui.reading import Reading, reading_of
from tests.ui.fake_engine import FakeEngine, png_bytes

UPPER_LEFT, UPPER_MIDDLE, LOWER_RIGHT = (0, 0, 20, 20), (40, 5, 60, 25), (80, 80, 100, 100)


def candidate(rank: int, weight: float, *boxes, size=(100, 100)) -> CandidateResult:
    return CandidateResult(
        rank=rank, candidate_id=f"case-{rank}", heads=("image",), retriever_score=0.5,
        weight=weight, similarity_percentile=90.0, label="benign", passage="",
        rows=size[0], columns=size[1], boxes=boxes,
    )  # fmt: skip


def test_boxes_become_fractions_of_their_own_image():
    (box,) = usual_place.relative_boxes(candidate(1, 1.0, (50, 20, 100, 40), size=(80, 200)))
    assert box.as_tuple() == (0.25, 0.25, 0.5, 0.5)


def test_boxes_beyond_the_image_are_cut_and_empty_ones_left_out():
    boxes = usual_place.relative_boxes(
        candidate(1, 1.0, (90, 90, 120, 120), (-5, 0, 50, 60), (120, 0, 130, 9))
    )
    assert [box.as_tuple() for box in boxes] == [(0.0, 0.0, 0.5, 0.6), (0.9, 0.9, 1.0, 1.0)]


def test_a_case_of_unknown_size_has_no_usual_place():
    old = candidate(1, 1.0).model_copy(update={"rows": 0, "columns": 0, "boxes": (UPPER_LEFT,)})
    assert usual_place.relative_boxes(old) == []
    assert "none has a known box" in usual_place.usual_words([old])


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
    (box,) = usual_place.relative_boxes(candidate(1, 1.0, edges))
    assert usual_place.zone_of(box) == zone


def test_the_most_common_place_is_named_with_its_weight():
    cases = [
        candidate(1, 0.4, UPPER_MIDDLE),
        candidate(2, 0.3, LOWER_RIGHT),
        candidate(3, 0.2, UPPER_MIDDLE),
        candidate(4, 0.1),
    ]
    assert usual_place.usual_words(cases) == (
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
    assert usual_place.usual_words(cases) == (
        "In 2 of 4 similar cases (weight 0.80) the finding lies in the upper left, "
        "in 2 (weight 0.20) in the lower right of the image."
    )


def test_no_common_place_is_claimed_where_there_is_none():
    cases = [candidate(1, 0.5, UPPER_LEFT), candidate(2, 0.3, LOWER_RIGHT), candidate(3, 0.2)]
    assert usual_place.usual_words(cases) == (
        "In 2 of 3 similar cases the findings lie in 2 different places; 1 has no known box."
    )


def test_one_box_among_several_cases_is_said_to_be_one():
    cases = [candidate(1, 0.5, UPPER_LEFT), candidate(2, 0.3), candidate(3, 0.2)]
    assert usual_place.usual_words(cases) == (
        "In 1 of 3 similar cases (weight 0.50) the finding lies in the upper left of the image; "
        "2 have no known box."
    )


def test_the_largest_box_of_a_case_counts():
    words = usual_place.usual_words([candidate(1, 1.0, (0, 0, 5, 5), LOWER_RIGHT)])
    assert words == (
        "In 1 of 1 similar case (weight 1.00) the finding lies in the lower right of the image."
    )


def test_none_with_a_box_is_said():
    value = usual_place.usual_value(
        Reading(info=read_image(png_bytes()).info, candidates=(candidate(1, 1.0),))
    )
    assert value == {
        "boxes": [],
        "words": "Of 1 similar case, none has a known box: there is no usual place to show.",
        "ready": True,
    }


def test_the_boxes_carry_rank_and_weight():
    result = list(FakeEngine().run(read_image(png_bytes())))[-1].result
    value = usual_place.usual_value(reading_of(result))
    json.dumps(value, allow_nan=False)
    assert [box["label"] for box in value["boxes"]] == ["#1 0.41", "#2 0.27", "#3 0.20"]
    assert value["boxes"][0]["strength"] == 1.0
    assert value["boxes"][0]["x0"] == pytest.approx(0.41)
    assert value["words"].startswith("In 3 of 4 similar cases (weight 0.88) the finding lies")
    assert text.USUAL_NOTE in value["words"]


def test_before_any_case_is_found_there_is_a_reason():
    value = usual_place.usual_value(Reading(info=read_image(png_bytes()).info))
    assert value == {"boxes": [], "words": text.USUAL_WAITING, "ready": False}
