"""Own read first: what the page shows of a case under study, and what the reader does with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jomed_app.errors import JomedError
from jomed_app.ui import text
from jomed_app.ui.handlers.removal import Wish, with_moved
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.study.bar import Bar
from jomed_app.ui.panels.study.form import Form
from jomed_app.ui.panels.study.hidden import Hidden
from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import Case, CaseStore
from jomed_app.ui.study.own_read import own_read_of
from jomed_app.ui.study.rows import study_rows
from jomed_app.ui.study.study import Step
from jomed_app.ui.templates import Panel, render

NEWLY_SHOWN = {
    Step.CASES: "Shown now: similar cases and what is known of them.",
    Step.READINGS: "Shown now: your image, read beside each similar case.",
    Step.ANSWER: "Shown now: the answer, and how far all agree.",
    Step.PLACES: "Shown now: boxes, heat map and descriptors.",
    Step.DONE: "Your read is complete; it is kept in this browser alone.",
}
SWITCHED_ON = "Own read first: from the next image you open."
SWITCHED_OFF = "Own read first is off: the next image is shown with its answer at once."
OUT_OF_STEP = "This was said already. Go on from what is shown now."
NOT_TO_SKIP = "Here every case is read first: nothing can be shown before."


def shown_diagnosis(case: Case | None, diagnosis: Diagnosis | None) -> Panel | None:
    """Return what of the answer column is shown; None leaves it as it is.

    Args:
        case: of the session, if it has one.
        diagnosis: the whole column.
    """
    if diagnosis is None or case is None or not case.is_hiding or case.study is None:
        return diagnosis
    if not case.study.shows(Step.ANSWER):
        return Hidden()
    return replace(diagnosis, caption=None, provenance=None, influence=None)


def study_value(
    engine: ReadingEngine, store: CaseStore, session: str, *, skip: bool
) -> dict[str, Any]:
    """Return what the page shows of a study, as JSON data.

    Args:
        engine: its task is asked about.
        store: open cases.
        session: key of the browser session.
        skip: whether one click may show everything.

    Returns:
        `on` whether the next case is read first; `key` of the step that is shown, empty where no
        study is; `html` of it, and `rows` of the log.
    """
    is_on = store.studies.is_on(session)
    case = store.get(session)
    study = None if case is None else case.study
    if case is None or study is None or (study.is_open and not case.is_hiding):
        return {"on": is_on, "key": "", "html": "", "rows": []}
    task = engine.info.task
    known = "" if study.is_open or study.is_skipped else case.drawn_as
    panel: Panel = (
        Form(task, skip) if study.step is Step.UNAIDED else Bar.of(study, task, skip, known)
    )
    return {
        "on": is_on,
        "key": f"{study.read_id} {study.step.value}",
        "html": render(panel),
        "rows": study_rows(case, engine.info),
    }


def say_next(
    engine: ReadingEngine, store: CaseStore, session: str, sent: Mapping[str, Any]
) -> Screen:
    """Keep what the reader says at this step, and show the next.

    Args:
        engine: asked for what a screen shows.
        store: open cases.
        session: key of the browser session.
        sent: "key" of the step it is said at, and the read; see `own_read_of`.
    """
    case = store.get(session)
    if case is None or case.study is None:
        return closed(text.NO_CASE)
    study = case.study
    if not study.is_open or sent.get("key") != f"{study.read_id} {study.step.value}":
        return _with_state(case, Screen(banner=Banner(OUT_OF_STEP)))
    try:
        study.say(own_read_of(sent, engine.info.task, study.last))
    except JomedError as error:
        return _with_state(case, Screen(banner=Banner(failure(error))))
    return _revealed(engine, case, NEWLY_SHOWN[study.step])


def skip_study(engine: ReadingEngine, store: CaseStore, session: str, *, may_skip: bool) -> Screen:
    """Show everything at once."""
    case = store.get(session)
    if case is None or case.study is None:
        return closed(text.NO_CASE)
    if not may_skip:
        return _with_state(case, Screen(banner=Banner(NOT_TO_SKIP)))
    case.study.skip()
    return _revealed(engine, case, text.STATUS_IDLE)


def switch_study(store: CaseStore, session: str) -> Screen:
    """Turn own read first on or off for the next cases of a session."""
    words = SWITCHED_ON if store.studies.switch(session) else SWITCHED_OFF
    case = store.get(session)
    return _with_state(case, Screen(status=Status(words), has_case=case is not None))


def read_only_when_shown(find: Callable[[str], Case | None]) -> Callable[[str], Case | None]:
    """Return a search for a case by its token that finds none of which something is hidden."""

    def find_shown(token: str) -> Case | None:
        case = find(token)
        return None if case is None or case.is_hiding else case

    return find_shown


def _revealed(engine: ReadingEngine, case: Case, words: str) -> Screen:
    """Return the screen after a step; a case that is still being read is drawn by its run."""
    if case.result is None:
        return _with_state(case, Screen())
    return with_moved(engine, case, Wish(), words)


def _with_state(case: Case | None, screen: Screen) -> Screen:
    """Return a screen that leaves as it is what the toolbar says of a run."""
    if case is None or case.result is not None:
        return screen
    is_stopped = case.is_cancelled()
    return replace(screen, is_busy=not is_stopped, can_run=is_stopped)
