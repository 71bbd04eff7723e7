"""Known diagnoses, readings and the answer: three things, and a warning where they part."""

from __future__ import annotations

import pytest

from jomed_app.inference.conclusion.standing import standing_of
from jomed_app.types import ConsistencyState, Standing
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


def beside(result, labels, readings):
    """The candidates of a result with other known diagnoses and other readings."""
    return tuple(
        each.model_copy(update={"label": label, "prediction": said, "probabilities": {said: 0.8}})
        for each, label, said in zip(result.candidates, labels, readings, strict=True)
    )


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        (ConsistencyState.CONSISTENT, "The readings agree"),
        (ConsistencyState.MIXED, "varying confidence"),
        (ConsistencyState.DISAGREE, "The readings disagree"),
        (ConsistencyState.ABSTAIN, "No result"),
    ],
)
def test_each_state_has_its_heading_and_its_look(result, state, heading):
    answer = result.final.prediction
    panel = agreement(result, state, beside(result, [answer] * 4, [answer] * 4))
    assert heading in panel.title
    assert f"is-{state.value}" in render(panel)


def test_what_is_known_and_what_is_read_are_two_lines(result):
    """A known diagnosis is a fact about another patient; a reading is about this one."""
    labels, readings = ["malignant"] * 4, ["benign", "malignant", "benign", "benign"]
    html = render(
        agreement(
            result,
            candidates=beside(result, labels, readings),
            counts={"malignant": 1, "benign": 3},
            final={"prediction": "benign"},
        )
    )
    assert f"{text.KNOWN_TITLE}: <b>malignant</b> 4 of 4." in html
    assert f"{text.READ_TITLE}: <b>benign</b> 3 of 4, <b>malignant</b> 1 of 4." in html


def test_known_diagnoses_against_the_answer_are_no_agreement(result):
    """A cancer whose four neighbors are malignant, read as benign beside each."""
    said = beside(result, ["malignant"] * 4, ["benign"] * 4)
    panel = agreement(
        result,
        ConsistencyState.CONSISTENT,
        said,
        counts={"benign": 4},
        final={"prediction": "benign"},
        error_rates={"consistent": 0.1, "contradicted": 0.25},
    )
    html = render(panel)
    assert panel.title == "The known diagnoses speak against the answer"
    assert "readings agree" not in html
    assert "is-contradicted" in html
    assert "Wrong in 25 %" in html


@pytest.mark.parametrize(
    ("sure", "words"),
    [((0.71, 0.9), "confidence from 0.71 to 0.90."), ((0.991, 0.994), "with confidence 0.99.")],
)
def test_agreeing_readings_are_said_to_be_as_sure_as_they_are(result, sure, words):
    said = tuple(
        item.model_copy(update={"probabilities": {"benign": value, "normal": 1 - value}})
        for item, value in zip(result.candidates, sure, strict=False)
    )
    html = render(agreement(result, ConsistencyState.CONSISTENT, said, counts={"benign": 2}))
    assert words in html
    assert f"{text.READ_TITLE}: <b>benign</b> 2 of 2" in html


def test_an_answer_that_no_reading_gives_is_a_warning(result):
    """Four readings that agree must not look like agreement with the final answer."""
    answer = result.final.prediction
    other = next(name for name in LABELS if name != answer)
    state = ConsistencyState.CONSISTENT
    said = beside(result, [answer] * 4, [other] * 4)
    panel = agreement(result, state, said, counts={other: 4}, error_rates={"consistent": 0.1})
    html = render(panel)
    assert panel.title == "No reading gives the final answer"
    assert f"The final answer is <b>{answer}</b>" in html
    assert "is-overruled" in html
    assert panel.mark == text.STANDING_MARKS[Standing.DISAGREE]
    assert panel.error_rate is None, "what was measured in another state is not said"
    said = beside(result, [answer] * 4, [answer] * 4)
    same = render(agreement(result, state, said, counts={answer: 4}))
    assert "The final answer is" not in same


def test_the_decisive_candidate_is_named_with_what_it_decides(result):
    said = "The answer rests on case #1: without it, it changes"
    assert f"{said} to <b>benign</b>." in render(agreement(result, flip_to="benign"))
    assert f"{said}." in render(agreement(result, flip_to=None))
    assert f"{said}." in render(agreement(result, flip_to=result.final.prediction))
    assert "rests on" not in render(agreement(result, decisive_candidate="case-77"))


def test_the_error_rate_is_that_of_the_state_or_not_said(result):
    stands = standing_of(result.consistency, result.final, result.candidates)
    assert "Wrong in 31 %" in render(agreement(result, error_rates={stands: 0.31}))
    assert "Wrong in 0 %" in render(agreement(result, error_rates={stands: 0.0}))
    assert "validation cases" not in render(agreement(result, error_rates={"abstain": 0.5}))


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
