"""The final diagnosis: named or not, calibrated or not, and what else speaks."""

from __future__ import annotations

import pytest

from jomed_app.types import FinalResult
from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.templates import render
from tests.ui.fake_values import LABELS
from tests.ui.hostile import assert_shown_as_text


def test_the_diagnosis_stands_with_its_probability(result):
    html = render(Final.of(result.final, LABELS))
    panel = Final.of(result.final, LABELS)
    assert panel.prediction == "malignant"
    assert panel.probability == result.final.probabilities["malignant"]
    assert "is-chosen" in html
    assert "interval" not in html, "that of a reliability bin is not one of this case"


def test_what_the_answer_is_made_of_is_said_to_scale(result):
    final = result.final.model_copy(update={"image_head_weight": 0.8, "neighbor_weight": 0.04})
    panel = Final.of(final, LABELS)
    assert panel.shares == pytest.approx(
        {text.SHARE_IMAGE: 0.8, text.SHARE_READ: 0.16, text.SHARE_VOTE: 0.04}
    )
    assert list(panel.shares) == [text.SHARE_IMAGE, text.SHARE_READ, text.SHARE_VOTE]
    html = render(panel)
    assert f"{text.SHARE_IMAGE} <b>80 %</b>, {text.SHARE_READ} <b>16 %</b>" in html
    assert [f'width:{share}%"' in html for share in ("80.0", "16.0", "4.0")] == [True] * 3
    alone = final.model_copy(update={"index_only": (final.prediction,)})
    assert Final.of(alone, LABELS).shares == {}, "only the nearest labels speak for it"


def test_an_undecided_case_still_shows_its_probabilities(result):
    undecided = result.final.model_copy(update={"prediction": None, "abstained": True})
    html = render(Final.of(undecided, LABELS))
    assert text.UNDECIDED in html
    assert f"{result.final.probabilities['benign']:.2f}" in html
    assert "is-chosen" not in html
    refused = undecided.model_copy(update={"probabilities": {}})
    assert text.UNDECIDED not in render(Final.of(refused, LABELS))


def test_an_abstention_names_no_class(result):
    """A class may lead all the same; it must not be read as the diagnosis."""
    abstained = result.final.model_copy(update={"abstained": True})
    assert Final.of(abstained, LABELS).prediction is None


def test_calibration_is_claimed_where_it_was_measured_alone(result):
    panel = Final.of(result.final, LABELS, "40 images, with 12 cases as known cases")
    known = render(panel)
    assert panel.calibrated.startswith("about")
    assert (
        "Calibrated. Measured on 40 images, with 12 cases as known cases; expect less elsewhere."
        in known
    )
    unknown = render(Final.of(result.final, LABELS))
    assert "Calibrated" not in unknown
    assert text.NOT_MEASURED in unknown


def test_where_much_speaks_against_the_answer_no_count_of_cases_is_said(result):
    """Nine of ten of all cases is not nine of ten of those that no reading agrees with."""
    panel = Final.of(result.final, LABELS, "40 images", stands_apart=True)
    html = render(panel)
    assert panel.calibrated == ""
    assert "Calibrated" not in html
    assert text.STANDS_APART in html
    assert text.NOT_MEASURED in render(Final.of(result.final, LABELS, stands_apart=True))


def test_what_the_reader_says_alone_is_a_line_of_its_own(result):
    assert f"{text.READER_ALONE}: <b>benign</b>" in render(Final.of(result.final, LABELS))
    silent = result.final.model_copy(update={"query_only_prediction": None})
    assert text.READER_ALONE not in render(Final.of(silent, LABELS))


def test_labels_of_the_index_alone_are_named(result):
    wider = result.final.model_copy(update={"index_only": ("adenosis", "phyllodes")})
    html = render(Final.of(wider, LABELS))
    assert text.INDEX_ONLY.format(names="adenosis, phyllodes") in html


def test_hostile_labels_are_shown_as_text():
    def named(words: str) -> Final:
        final = FinalResult(
            prediction=words, probabilities={words: 1.0}, query_only_prediction=words,
            index_only=(words,), interval=(0.5, 1.0),
        )  # fmt: skip
        return Final.of(final, (), words)

    def undecided(words: str) -> Final:
        final = FinalResult(prediction=None, probabilities={words: 1.0}, abstained=True)
        return Final.of(final, ())

    for make in (named, undecided):
        assert_shown_as_text(make)
