"""A case under study, from the unaided read to the last word; what is hidden is sent nowhere."""

from __future__ import annotations

import json

import pytest

from jomed_app.ui import text
from jomed_app.ui.handlers.case import choose_frame, open_case, read_inverted, run_case
from jomed_app.ui.handlers.opening import Opening
from jomed_app.ui.handlers.save import save_server
from jomed_app.ui.session import CaseStore
from jomed_app.ui.study.handlers import (
    OUT_OF_STEP,
    SWITCHED_OFF,
    SWITCHED_ON,
    read_only_when_shown,
    say_next,
    shown_diagnosis,
    skip_study,
    study_value,
    switch_study,
)
from jomed_app.ui.study.study import STEPS, Step, Studies
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine, inverted_png_bytes, png_bytes
from tests.ui.fake_values import FINDINGS, READ, REPORT

SENT = {"category": "4A", "probability": 30, "confidence": "high", "findings": {"shape": "oval"}}
READINGS = [f">{max(each):.2f}<" for each in READ]
# What only a step shows, and no step before it.
SIGNS = {
    Step.CASES: ["Other patient #1", "Irregular hypoechoic mass with spiculated"],
    Step.READINGS: READINGS,
    Step.ANSWER: ["Final diagnosis", "Agreement", "counter-case"],
    Step.PLACES: [REPORT, f">{FINDINGS['shape']['irregular']:.2f}<"],
    Step.DONE: ["drew this image as malignant", "Copy JSON"],
}


@pytest.fixture
def store() -> CaseStore:
    made = CaseStore()
    made.studies = Studies("required")
    return made


def page(engine, store, screens, session="a") -> str:
    """All that these screens send to the page, and the study's own part."""
    case = store.get(session)
    sent = [study_value(engine, store, session, skip=True)]
    for screen in screens:
        shown = shown_diagnosis(case, screen.diagnosis)
        sent.append([screen.viewer, None if shown is None else render(shown)])
        sent += [None if part is None else render(part) for part in (screen.status, screen.checks)]
    return json.dumps(sent)


def hidden(step: Step) -> list[str]:
    """What no page may hold while a step is shown."""
    later = STEPS[STEPS.index(step) + 1 :]
    return [sign for each in later for sign in SIGNS[each]]


def opened(engine, store, drawn_as="malignant"):
    screen = open_case(engine, store, "a", png_bytes(), is_simulated=True, drawn_as=drawn_as)
    return [screen, *run_case(engine, store, "a")]


def say(engine, store, **change):
    key = study_value(engine, store, "a", skip=True)["key"]
    return say_next(engine, store, "a", {**SENT, "key": key, **change})


def test_each_step_sends_what_it_shows_and_nothing_more(store):
    engine = FakeEngine()
    sent = page(engine, store, opened(engine, store))
    assert [sign for sign in hidden(Step.UNAIDED) if sign in sent] == []
    for step in STEPS[1:]:
        sent = page(engine, store, [say(engine, store)])
        assert [sign for sign in SIGNS[step] if sign not in sent] == [], step
        assert [sign for sign in hidden(step) if sign in sent] == [], step


def test_a_word_said_twice_or_a_wrong_one_changes_nothing(store):
    engine = FakeEngine()
    opened(engine, store)
    key = study_value(engine, store, "a", skip=True)["key"]
    wrong = say(engine, store, probability=300)
    assert "from 0 to 100, found 300" in wrong.banner.sentence
    say_next(engine, store, "a", {**SENT, "key": key})
    again = say_next(engine, store, "a", {**SENT, "key": key})
    assert again.banner.sentence == OUT_OF_STEP
    assert store.get("a").study.step is Step.CASES


def test_the_rows_tell_the_answer_and_the_truth_only_after_the_reader_saw_them(store):
    engine = FakeEngine()
    opened(engine, store)
    say(engine, store)
    for category in ("4A", "4A", "3", "3"):
        say(engine, store, category=category)
    rows = study_value(engine, store, "a", skip=True)["rows"]
    assert [row["step"] for row in rows] == [step.value for step in STEPS[:-1]]
    assert [row["acts"] for row in rows] == [1, 1, 1, 0, 0]
    assert [row["answer"] for row in rows] == ["", "", "", "malignant", "malignant"]
    assert [row["truth"] for row in rows] == [""] * 4 + ["malignant"]
    assert rows[-1]["shown"] == "cases + readings + answer + places"
    assert {row["findings"] for row in rows} == {"shape oval"}
    (digest,) = {row["case"] for row in rows}
    assert len(digest) == 12
    assert digest not in store.get("a").image.sha256, "of the pixels that were read, not the file"
    done = study_value(engine, store, "a", skip=True)["html"]
    assert "4A, 30 % &rarr; 3, 30 %" in done
    assert "Drawn as malignant: wrong, after a change" in done


def test_a_case_still_being_read_is_drawn_by_its_run_as_far_as_it_may(store):
    engine = FakeEngine()
    first = open_case(engine, store, "a", png_bytes())
    steps = run_case(engine, store, "a")
    early = [next(steps), next(steps)]
    between = say(engine, store)
    assert (between.viewer, between.is_busy) == (None, True)
    rest = list(steps)
    assert READINGS[0] not in page(engine, store, [first, *early, between, *rest])
    assert "Other patient #1" in page(engine, store, rest)


def test_no_file_is_saved_before_all_is_shown(store):
    engine = FakeEngine()
    opened(engine, store)
    save = save_server(engine, read_only_when_shown(store.by_token))
    wish = {"case": store.get("a").token, "kind": "json"}
    assert save(wish) == {"error": text.NOT_SAVED}
    for _ in STEPS[1:]:
        say(engine, store)
    assert save(wish)["name"] == "jomed-case.json"


def test_one_click_shows_all_where_the_operator_lets_it(store):
    engine = FakeEngine()
    opened(engine, store)
    assert "shown before" in skip_study(engine, store, "a", may_skip=False).banner.sentence
    assert store.get("a").is_hiding
    screen = skip_study(engine, store, "a", may_skip=True)
    assert "Copy JSON" in page(engine, store, [screen])
    value = study_value(engine, store, "a", skip=True)
    assert value["rows"] == []
    assert "not complete" in value["html"]


def test_another_part_of_the_picture_goes_on_with_the_same_study(store):
    engine = FakeEngine()
    opened(engine, store)
    say(engine, store)
    study = store.get("a").study
    read_inverted(engine, store, "a")
    assert store.get("a").study is study
    assert choose_frame(engine, store, "b", 1).banner.sentence == text.NO_CASE


def test_a_refusal_is_told_at_once(store):
    engine = FakeEngine()
    open_case(engine, store, "a", inverted_png_bytes())
    screens = list(run_case(engine, store, "a"))
    assert "looks inverted" in page(engine, store, screens)
    assert study_value(engine, store, "a", skip=True)["key"] == ""


def test_the_example_that_is_kept_finished_is_held_back_too(store, tmp_path):
    from jomed_app.ui.examples import Example

    path = tmp_path / "0.png"
    path.write_bytes(png_bytes())
    engine, opening = FakeEngine(), Opening(Example(path, "t", "benign", opens=True))
    opening.open(engine, store, "a")
    list(run_case(engine, store, "a"))
    screen = opening.open(engine, store, "b")
    sent = page(engine, store, [screen], "b")
    assert [sign for sign in hidden(Step.UNAIDED) if sign in sent] == []
    assert "benign" not in json.dumps(screen.viewer)


def test_the_switch_is_for_the_next_case():
    engine, store = FakeEngine(), CaseStore()
    store.studies = Studies("offered")
    opened(engine, store)
    assert switch_study(store, "a").status.sentence == SWITCHED_ON
    assert not store.get("a").is_hiding
    value = study_value(engine, store, "a", skip=True)
    assert (value["on"], value["html"]) == (True, "")
    opened(engine, store)
    assert store.get("a").is_hiding
    assert switch_study(store, "a").status.sentence == SWITCHED_OFF
    assert store.get("a").is_hiding, "of the case that is open nothing changes"
    store.end("a")
    assert not store.studies.is_on("a")


def test_a_case_that_is_gone_says_so(store):
    engine = FakeEngine()
    assert say_next(engine, store, "a", {}).banner.sentence == text.NO_CASE
    assert skip_study(engine, store, "a", may_skip=True).banner.sentence == text.NO_CASE
    assert switch_study(store, "a").has_case is False
