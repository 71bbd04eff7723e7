"""The report text: the task's words, the reader's choices, and what is not assessed."""

from __future__ import annotations

import pytest

from jomed_app.data.tasks import load_task
from jomed_app.export.report_text import Chosen, report_lines
from jomed_app.export.words import DISCLAIMER
from jomed_app.imaging import read_image
from jomed_app.types import Moved, Region
from tests.ui.fake_engine import FakeEngine, png_bytes

WORDS = load_task("breast").report


@pytest.fixture(scope="module")
def result():
    return list(FakeEngine().run(read_image(png_bytes())))[-1].result


def lines(result, **choices) -> list[str]:
    return report_lines(
        WORDS, result, finding="lesion", box_threshold=0.5, chosen=Chosen(**choices)
    )


def test_findings_are_in_the_words_of_the_lexicon_and_what_is_unsure_is_not_assessed(result):
    """The likeliest margin has 0.48: less than all others together."""
    assert lines(result) == [
        "Breast ultrasound.",
        "Location: not stated.",
        "Lesion.",
        "Shape: irregular.",
        "Orientation: not parallel.",
        "Margin: not assessed.",
        "Echo pattern: hypoechoic.",
        "Posterior features: shadowing.",
        "Calcifications: none seen.",
        "Size: not stated, since the image does not tell its scale.",
        "BI-RADS category: 4, suggested by the app's answer, not by a reader.",
        DISCLAIMER,
    ]


def test_size_is_in_mm_where_the_spacing_is_known(result):
    """The box is 163.2 px wide at 0.1 mm and 104.4 px high at 0.2 mm."""
    region = Region.of_whole(360, 480, (0.2, 0.1))
    info = result.input.model_copy(update={"region": region})
    said = lines(result.model_copy(update={"input": info}))
    assert "Size: 16 x 21 mm, of the box that the app drew." in said
    none = report_lines(
        WORDS, result.model_copy(update={"input": info}), finding="lesion", box_threshold=0.9
    )
    assert not any(line.startswith("Size") for line in none)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"side": "Right", "hour": "3"}, "Location: right breast, 3 o'clock."),
        ({"side": "Left"}, "Location: left, clock not stated."),
        ({"hour": "12"}, "Location: side not stated breast, 12 o'clock."),
        ({"side": "<b>", "hour": "13"}, "Location: not stated."),
        ({"category": "4B"}, "BI-RADS category: 4B."),
        ({"category": "9"}, "BI-RADS category: 4, suggested by the app's answer, not by a reader."),
    ],
)
def test_the_reader_chooses_and_nothing_else_is_taken(result, chosen, said):
    assert said in lines(result, **chosen)


@pytest.mark.parametrize("update", ["abstained", "moved", "unnamed"])
def test_no_category_is_suggested_without_the_apps_own_answer(result, update):
    changes = {
        "abstained": {"final": result.final.model_copy(update={"abstained": True})},
        "moved": {"moved": Moved(removed=("case-0",))},
        "unnamed": {"final": result.final.model_copy(update={"prediction": "scar"})},
    }
    said = lines(result.model_copy(update=changes[update]))
    assert "BI-RADS category: not assessed." in said


def test_an_answer_without_findings_says_that_none_is_described(result):
    said = lines(result.model_copy(update={"findings": {}, "boxes": ()}))
    assert said[2:4] == ["No lesion described.", said[3]]
    assert not any(line.startswith(("Shape", "Size")) for line in said)
