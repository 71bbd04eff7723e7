"""How far a case is revealed, step by step, and who reads first."""

from __future__ import annotations

import pytest

from jomed_app.ui.reading import Reading, reading_of
from jomed_app.ui.study.own_read import OwnRead
from jomed_app.ui.study.study import STEPS, Step, Studies, Study
from tests.ui.panels.conftest import result

__all__ = ["result"]
READ = OwnRead("4A", 30, "medium", {})


def at(step: Step) -> Study:
    study = Study()
    while study.step is not step:
        study.say(READ)
    return study


def test_each_step_shows_one_thing_more(result):
    whole = reading_of(result)
    seen = {step: at(step).up_to(whole) for step in STEPS}
    assert seen[Step.UNAIDED] == Reading(info=whole.info, retrieval=whole.retrieval)
    cases = seen[Step.CASES]
    assert [each.label for each in cases.candidates] == [each.label for each in whole.candidates]
    assert {each.prediction for each in cases.candidates} == {None}
    assert not any(each.probabilities for each in cases.candidates)
    assert cases.final is None
    assert seen[Step.READINGS].candidates == whole.candidates
    assert seen[Step.READINGS].final is None
    assert seen[Step.ANSWER].final == whole.final
    assert seen[Step.ANSWER].boxes is None
    assert seen[Step.ANSWER].findings is None
    assert seen[Step.ANSWER].heatmap is None
    assert seen[Step.PLACES].boxes == whole.boxes
    assert seen[Step.PLACES].result is None
    assert seen[Step.DONE] is whole


def test_what_is_said_is_kept_with_its_times():
    now = [10.0]
    study = Study(clock=lambda: now[0])
    for seconds in (8.0, 2.0):
        now[0] += seconds
        study.say(READ)
    assert [(each.step, each.seconds, each.seconds_total) for each in study.given] == [
        (Step.UNAIDED, 8.0, 8.0),
        (Step.CASES, 2.0, 10.0),
    ]
    assert study.given[0].at.endswith("+00:00")
    assert study.last == READ
    study.skip()
    assert not study.is_open
    assert study.is_skipped


@pytest.mark.parametrize(
    ("mode", "at_first", "switched"),
    [("off", False, False), ("offered", False, True), ("required", True, True)],
)
def test_who_reads_first_is_the_operator_s_and_then_the_reader_s_choice(mode, at_first, switched):
    studies = Studies(mode, most=2)
    assert studies.is_on("a") is at_first
    assert studies.switch("a") is switched
    assert studies.is_on("a") is switched
    assert (studies.begin("a") is not None) is switched
    studies.end("a")
    assert studies.is_on("a") is at_first


def test_only_so_many_choices_are_remembered():
    studies = Studies("offered", most=2)
    for session in "abc":
        studies.switch(session)
    assert [studies.is_on(each) for each in "abc"] == [False, True, True]
    studies.switch("c")
    assert not studies.is_on("c")
