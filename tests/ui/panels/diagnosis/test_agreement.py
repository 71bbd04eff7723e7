"""Agreement of the candidates: counts, confidence, and a warning where the answer is another."""

from __future__ import annotations

import pytest

from jomed_app.types import ConsistencyState
from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.agreement import Agreement
from jomed_app.ui.templates import render
from tests.ui.fake_values import LABELS
from tests.ui.hostile import assert_shown_as_text


def agreement(result, state=None, candidates=None, final=None, **more) -> Agreement:
    """The agreement of a result with another state, other counts or another final answer."""
    changed = {name: more.pop(name) for name in ("counts", "decisive_candidate") if name in more}
    if state is not None:
        changed["state"] = state
    return Agreement.of(
        result.consistency.model_copy(update=changed),
        result.final.model_copy(update=final or {}),
        result.candidates if candidates is None else candidates,
        **more,
    )


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        (ConsistencyState.CONSISTENT, "Candidates agree"),
        (ConsistencyState.MIXED, "confidence varies"),
        (ConsistencyState.DISAGREE, "Candidates disagree"),
        (ConsistencyState.ABSTAIN, "No result"),
    ],
)
def test_each_state_has_its_heading_and_its_look(result, state, heading):
    panel = agreement(result, state, counts={"benign": 4})
    assert heading in panel.title
    assert f"is-{state.value}" in render(panel)


def test_the_counts_are_said_most_first(result):
    html = render(agreement(result, counts={"benign": 1, "malignant": 3}))
    assert "the candidates give 3 of 4: <b>malignant</b>; 1 of 4: <b>benign</b>." in html


@pytest.mark.parametrize(
    ("sure", "words"),
    [((0.71, 0.9), "confidence from 0.71 to 0.90."), ((0.991, 0.994), "with confidence 0.99.")],
)
def test_agreeing_candidates_are_said_to_be_as_sure_as_they_are(result, sure, words):
    said = tuple(
        item.model_copy(update={"probabilities": {"benign": value, "normal": 1 - value}})
        for item, value in zip(result.candidates, sure, strict=False)
    )
    html = render(agreement(result, ConsistencyState.CONSISTENT, said, counts={"benign": 2}))
    assert words in html
    assert "all 2 candidates say <b>benign</b>" in html


def test_one_candidate_alone_is_said_to_be_one(result):
    html = render(agreement(result, ConsistencyState.CONSISTENT, counts={"malignant": 1}))
    assert "the one candidate says <b>malignant</b>" in html


def test_an_answer_that_no_candidate_gives_is_a_warning(result):
    """Four candidates that agree must not look like agreement with the final answer."""
    other = next(name for name in LABELS if name != result.final.prediction)
    state = ConsistencyState.CONSISTENT
    panel = agreement(result, state, counts={other: 4}, decisive_candidate=None)
    html = render(panel)
    assert "Candidates agree, the final answer differs" in html
    assert f"The final answer is <b>{result.final.prediction}</b>, which no candidate says" in html
    assert "is-contradicted" in html
    assert panel.mark == text.STATE_MARKS[ConsistencyState.DISAGREE]
    same = agreement(result, state, counts={result.final.prediction: 4}, decisive_candidate=None)
    assert "differs" not in render(same)


def test_the_decisive_candidate_is_named_with_what_it_decides(result):
    said = "The answer rests on candidate #1: without it, it changes"
    assert f"{said} to <b>benign</b>." in render(agreement(result, flip_to="benign"))
    assert f"{said}." in render(agreement(result, flip_to=None))
    assert f"{said}." in render(agreement(result, flip_to=result.final.prediction))
    assert "rests on" not in render(agreement(result, decisive_candidate="case-77"))


def test_the_error_rate_is_that_of_the_state_or_not_said(result):
    assert "the answer was wrong in 31 %" in render(agreement(result, error_rate=0.31))
    assert "the answer was wrong in 0 %" in render(agreement(result, error_rate=0.0))
    assert "On validation cases" not in render(agreement(result))


def test_a_refusal_speaks_of_no_case_that_was_not_read(result):
    refused = {"prediction": None, "reason": "no ultrasound"}
    html = render(agreement(result, ConsistencyState.ABSTAIN, (), refused))
    assert "Reason: no ultrasound" in html
    assert "What to do" in html
    assert "similar cases" not in html
    read = render(agreement(result, ConsistencyState.ABSTAIN, None, {"prediction": None}))
    assert text.NO_REASON in read
    assert text.ABSTAIN_CASES in read


def test_hostile_labels_and_reasons_are_shown_as_text(result):
    def disagreeing(words: str) -> Agreement:
        return agreement(
            result, counts={"normal": 2, words: 1}, final={"prediction": "x"}, flip_to=words
        )

    def contradicted(words: str) -> Agreement:
        return agreement(result, counts={words: 1}, final={"prediction": f"not {words}"})

    def refused(words: str) -> Agreement:
        return agreement(result, ConsistencyState.ABSTAIN, final={"reason": words})

    for make in (disagreeing, contradicted, refused):
        assert_shown_as_text(make)
