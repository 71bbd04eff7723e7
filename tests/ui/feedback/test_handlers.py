"""Judging the answer that is shown: what is asked, what is kept, and what never is."""

from __future__ import annotations

import pytest

from jomed_app.export.saved import pixels_sha256
from jomed_app.feedback.store import FeedbackStore, read_judgements
from jomed_app.ui.feedback.handlers import KEPT, NOTHING_TO_JUDGE, feedback_servers
from jomed_app.ui.handlers.case import open_case, run_case
from jomed_app.ui.handlers.removal import remove_candidate
from jomed_app.ui.session import CaseStore
from jomed_app.ui.study.handlers import read_only_when_shown, say_next, study_value
from jomed_app.ui.study.study import STEPS, Studies
from tests import planted
from tests.ui.fake_engine import FakeEngine, picture
from tests.ui.handlers.running import run_to_end

SENT = {
    "verdict": "disagree",
    "label": "benign",
    "said": " the  margin is smooth ",
    "reasons": ["image quality", "another kind of finding", "DOE"],
    "similar": {"case-0": True, "case-1": False, "case-77": True, "case-2": "yes"},
    "places": {"0": True, "9": True},
}


@pytest.fixture
def desk(tmp_path):
    engine, cases = FakeEngine(), CaseStore()
    store = FeedbackStore(tmp_path / "f.sqlite", b"k" * 32)
    form, save = feedback_servers(engine, read_only_when_shown(cases.by_token), store)
    yield engine, cases, form, save, tmp_path / "f.sqlite"
    store.close()


def test_what_is_said_of_an_answer_is_kept_once(desk):
    engine, cases, form, save, path = desk
    run_to_end(engine, cases)
    token = cases.get("a").token
    html = form({"case": token})["html"]
    assert "without picture, file name or anything of the patient" in html
    assert "no names" in html
    assert 'name="similar-case-0"' in html
    assert 'name="place-0"' in html
    assert 'name="place-1"' not in html, "a box below the threshold is not on the page"
    assert save({"case": token, "verdict": "agree"}) == {"said": KEPT}
    assert save({"case": token, **SENT}) == {"said": KEPT}
    (kept,) = read_judgements(path)
    assert (kept.verdict, kept.label, kept.answer) == ("disagree", "benign", "malignant")
    assert kept.said == "the margin is smooth"
    assert kept.reasons == ("another kind of finding", "image quality")
    assert kept.similar == {"case-0": True, "case-1": False}
    assert [mark.is_right for mark in kept.places] == [True]
    assert (kept.state, kept.search, kept.bundle) == ("disagree", "joint", "fake 1")
    assert (kept.own, kept.truth) == (None, "")


def test_nothing_of_picture_file_or_patient_is_kept(desk):
    engine, cases, _, save, path = desk
    file = planted.png(picture(6))
    open_case(engine, cases, "a", file.data)
    list(run_case(engine, cases, "a"))
    case = cases.get("a")
    assert save({"case": case.token, **SENT}) == {"said": KEPT}
    written = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert planted.found_in([("file", written)], file) == []
    (kept,) = read_judgements(path)
    for secret in (case.token, case.image.sha256[:12]):
        assert secret not in kept.model_dump_json()
    assert pixels_sha256(case.image.model_input)[:12] not in kept.model_dump_json()


def test_the_same_picture_has_the_same_case_and_another_reading(desk):
    engine, cases, _, save, path = desk
    for session in "ab":
        run_to_end(engine, cases, session)
        save({"case": cases.get(session).token, "verdict": "agree"})
    first, second = read_judgements(path)
    assert first.case == second.case
    assert first.reading != second.reading


def test_a_moved_answer_is_judged_as_it_is_shown(desk):
    engine, cases, _, save, path = desk
    run_to_end(engine, cases)
    remove_candidate(engine, cases, "a", "case-0")
    save({"case": cases.get("a").token, "verdict": "agree"})
    assert read_judgements(path)[0].answer == "benign"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "yes"}, "A judgement requires one of"),
        ({"said": "x" * 301}, "at most 300 characters, found 301"),
        ({"case": "nobody's"}, NOTHING_TO_JUDGE),
        ({"case": None}, NOTHING_TO_JUDGE),
    ],
)
def test_what_cannot_be_kept_is_said(desk, change, said):
    engine, cases, _, save, path = desk
    run_to_end(engine, cases)
    answer = save({"case": cases.get("a").token, **SENT, **change})
    assert said in answer["error"]
    assert read_judgements(path) == []


def test_a_case_under_study_is_judged_after_its_own_read_which_stands_beside_it(desk):
    engine, cases, form, save, path = desk
    cases.studies = Studies("required")
    run_to_end(engine, cases)
    case = cases.get("a")
    case.drawn_as = "malignant"
    assert form({"case": case.token}) == {"error": NOTHING_TO_JUDGE}
    for step in STEPS[:-1]:
        key = study_value(engine, cases, "a", skip=True)["key"]
        category = "5" if step == "unaided" else "2"
        read = {"category": category, "probability": 9, "confidence": "low", "none": True}
        say_next(engine, cases, "a", {"key": key, **read})
    save({"case": case.token, "verdict": "agree"})
    (kept,) = read_judgements(path)
    assert (kept.own.category_before, kept.own.category_after) == ("5", "2")
    assert kept.effect == "harm"


def test_a_disk_that_is_full_is_told_to_the_reader(desk):
    engine, cases, _, save, path = desk
    run_to_end(engine, cases)
    store = save.__closure__
    rows = next(
        each.cell_contents for each in store if isinstance(each.cell_contents, FeedbackStore)
    )._rows
    (pages,) = rows.execute("PRAGMA page_count").fetchone()
    rows.execute(f"PRAGMA max_page_count = {pages}")
    answers = []
    for number in range(40):
        run_to_end(engine, cases, "a", seed=number)
        answers.append(save({"case": cases.get("a").token, **SENT, "said": "x" * 300}))
        if "error" in answers[-1]:
            break
    assert "found: database or disk is full" in answers[-1]["error"]
    assert len(read_judgements(path)) == len(answers) - 1
