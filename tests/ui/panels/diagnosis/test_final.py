"""The final diagnosis: named or not, calibrated or not, and what else speaks."""

from __future__ import annotations

from jomed_app.types import FinalResult
from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.templates import render
from tests.ui.fake_values import LABELS
from tests.ui.hostile import assert_shown_as_text


def test_the_diagnosis_stands_with_its_probability_and_interval(result):
    html = render(Final.of(result.final, LABELS))
    assert '<span class="final-name">malignant</span>' in html
    value, (low, high) = result.final.probabilities["malignant"], result.final.interval
    assert f'<span class="final-value">{value:.2f}</span>' in html
    assert f"95 % interval {low:.2f} to {high:.2f}" in html
    without = result.final.model_copy(update={"interval": None})
    assert "interval" not in render(Final.of(without, LABELS))


def test_an_undecided_case_still_shows_its_probabilities(result):
    undecided = result.final.model_copy(update={"prediction": None, "abstained": True})
    html = render(Final.of(undecided, LABELS))
    assert "none given" in html
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
    known = render(Final.of(result.final, LABELS, "40 images, with 12 cases as known cases"))
    assert "Calibrated: about" in known
    assert "Measured on 40 images, with 12 cases as known cases; expect less elsewhere." in known
    unknown = render(Final.of(result.final, LABELS))
    assert "Calibrated: about" not in unknown
    assert text.NOT_MEASURED in unknown


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
