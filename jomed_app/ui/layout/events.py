"""The page's events: what was sent goes to a handler, and the screen it returns to the parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from jomed_app.config import AppConfig
from jomed_app.errors import JomedError
from jomed_app.ui import text
from jomed_app.ui.examples import Example
from jomed_app.ui.handlers import case, removal, search
from jomed_app.ui.handlers.decoding import DECODED_AT_ONCE
from jomed_app.ui.handlers.opening import Opening
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.handlers.upload import refused_sentence, take_upload
from jomed_app.ui.layout import study
from jomed_app.ui.layout.requests import has_secret, require_secret, sent, session_of
from jomed_app.ui.line import Line
from jomed_app.ui.panels.viewer.region import region_wish
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import CaseStore
from jomed_app.ui.study.handlers import shown_diagnosis, study_value
from jomed_app.ui.templates import Panel, render
from jomed_app.ui.uploads import UploadStore
from jomed_app.ui.worklist.handlers import row_asked

# These wait in a line of ours. Several at a time: a page that draws slowly takes the run of a case
# for one that goes on, when the next case is open, and would never ask for the run of that.
IN_LINE: dict[str, Any] = {"concurrency_limit": None, "trigger_mode": "multiple"}
OPENING: dict[str, Any] = {"concurrency_limit": DECODED_AT_ONCE}
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the page that change, and the state that ends with the session."""

    toolbar: gr.HTML
    worklist: gr.HTML
    status: gr.HTML
    banner: gr.HTML
    checks: gr.HTML
    viewer: gr.HTML
    panel: gr.HTML
    study: gr.HTML
    held: gr.State

    @property
    def outputs(self) -> list[Any]:
        """All that a screen changes, in the order of `changes`."""
        return [
            self.toolbar, self.status, self.banner, self.checks, self.viewer, self.panel,
            self.study, self.held,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers work with.

    Attributes:
        engine: read-only, shared by all sessions.
        line: in which cases wait for the model.
        cases: open ones.
        uploads: files that wait for their case.
        settings: of the web app.
        examples: that can be chosen.
        opening: the example that the page opens with; None where it opens empty.
        linked: by name, what a link opens the page with instead.
    """

    engine: ReadingEngine
    line: Line
    cases: CaseStore
    uploads: UploadStore
    settings: AppConfig
    examples: Sequence[Example]
    opening: Opening | None
    linked: Mapping[str, Opening]


def screen_changes(desk: Desk, screen: Screen, session: str) -> list[Any]:
    """Return a screen as the parts of the page take it, and whose it is.

    The one way to the page: what a case under study hides is left out here and in `viewer_value`.
    """
    diagnosis = shown_diagnosis(desk.cases.get(session), screen.diagnosis)
    parts = (screen.status, screen.banner, screen.checks, screen.viewer, diagnosis)
    state = {"busy": screen.is_busy, "case": screen.has_case, "run": screen.can_run}
    own = study_value(desk.engine, desk.cases, session, skip=desk.settings.study.skip)
    return [state, *map(_shown, parts), own, session]


def _shown(part: Panel | dict[str, Any] | None) -> Any:
    """Return a part of a screen as its component takes it; None leaves the component as it is."""
    if part is None:
        return gr.skip()
    return render(part) if isinstance(part, Panel) else part


def wire(blocks: gr.Blocks, parts: Parts, desk: Desk) -> list[Any]:
    """Connect the page's events to the handlers.

    Returns:
        Events after which the list of what was opened is another one.
    """
    engine, cases, outputs = desk.engine, desk.cases, parts.outputs
    changes = partial(screen_changes, desk)

    def on_upload(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, row = session_of(request), row_asked(sent(event))
        try:
            data, sender = take_upload(desk.uploads, sent(event).get("path"))
            handed = [data]
            del data
            require_secret(request)
        except JomedError as error:
            sentence = failure(error)
            cases.leave(session)
            cases.refuse(session, row, sentence)
            return changes(closed(sentence), session)
        # Handed over: of up to 64 MiB nothing is held here while the page is drawn.
        screen = case.open_case(engine, cases, session, handed.pop(), sender=sender, row=row)
        return changes(screen, session)

    def on_upload_failed(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, wish = session_of(request), sent(event)
        sentence = refused_sentence(wish.get("said"), desk.settings.max_file_mb)
        cases.leave(session)
        cases.refuse(session, row_asked(wish), sentence)
        return changes(closed(sentence), session)

    def on_example(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, number = session_of(request), sent(event).get("number")
        if not isinstance(number, int) or not 0 <= number < len(desk.examples):
            return changes(closed(text.UNKNOWN_EXAMPLE), session)
        try:
            require_secret(request)
        except JomedError as error:
            return changes(closed(failure(error)), session)
        example = desk.examples[number]
        screen = case.open_case(
            engine, cases, session, example.path.read_bytes(), is_simulated=True,
            drawn_as=example.known,
        )  # fmt: skip
        return changes(screen, session)

    def on_frame(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, frame = session_of(request), sent(event).get("frame")
        number = frame if isinstance(frame, int) else 0
        return changes(case.choose_frame(engine, cases, session, number), session)

    def on_region(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, wish = session_of(request), region_wish(sent(event).get("region"))
        return changes(case.choose_region(engine, cases, session, wish), session)

    def on_again(request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(case.start_again(engine, cases, session), session)

    def on_cancel(request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(case.stop_case(engine, cases, session), session)

    def on_purge(request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(case.purge_case(cases, session), session)

    def on_remove(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, candidate = session_of(request), str(sent(event).get("id", ""))
        return changes(removal.remove_candidate(engine, cases, session, candidate), session)

    def on_restore(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, candidate = session_of(request), sent(event).get("id")
        screen = removal.restore_candidate(engine, cases, session, candidate)
        return changes(screen, session)

    def on_restore_all(request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(removal.restore_candidate(engine, cases, session), session)

    def on_move(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, moved = session_of(request), sent(event)
        name, value = moved.get("name"), moved.get("value")
        return changes(removal.move_weight(engine, cases, session, name, value), session)

    def on_search(event: gr.EventData, request: gr.Request) -> list[Any]:
        session, retrieval = session_of(request), str(sent(event).get("retrieval", ""))
        return changes(search.choose_search(engine, cases, session, retrieval), session)

    def on_go_on(request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(case.go_on(engine, cases, session), session)

    def on_inverted(request: gr.Request) -> list[Any]:
        session = session_of(request)
        return changes(case.read_inverted(engine, cases, session), session)

    toolbar, viewer, panel = parts.toolbar, parts.viewer, parts.panel
    run = runner(desk, len(outputs))
    runs = []
    for opening, open_handler in (
        (parts.worklist.case_file, on_upload),
        (toolbar.case_example, on_example),
        (viewer.case_frame, on_frame),
        (viewer.case_region, on_region),
        (viewer.case_search, on_search),
        (panel.case_search, on_search),
        (toolbar.case_again, on_again),
        (panel.case_go_on, on_go_on),
        (panel.case_inverted, on_inverted),
    ):
        opened = opening(open_handler, None, outputs, **QUIET, **OPENING)
        runs.append(opened.then(run, None, outputs, **QUIET, **IN_LINE))
    if desk.linked:
        opened = blocks.load(_opener(desk, len(outputs)), None, outputs, **QUIET)
        runs.append(opened.then(run, None, outputs, **QUIET, **IN_LINE))
    refused = parts.worklist.case_refused(on_upload_failed, None, outputs, **QUIET)
    left = toolbar.case_cancel(on_cancel, None, outputs, cancels=runs, **QUIET)
    purged = toolbar.case_purge(on_purge, None, outputs, cancels=runs, **QUIET)
    viewer.case_remove(on_remove, None, outputs, **QUIET)
    viewer.case_restore(on_restore, None, outputs, **QUIET)
    panel.case_move(on_move, None, outputs, trigger_mode="always_last", **QUIET)
    panel.case_restore_all(on_restore_all, None, outputs, **QUIET)
    study.wire(parts.study, desk.settings.study, engine, cases, changes, outputs)
    return [*runs, refused, left, purged]


def runner(desk: Desk, num_outputs: int, *, is_shown_again: bool = False) -> Any:
    """Return what reads a session's case in its turn, screen by screen.

    Args:
        desk: with what.
        num_outputs: parts of the page.
        is_shown_again: leave a case alone of which a run goes on.
    """
    engine, cases = desk.engine, desk.cases
    changes = partial(screen_changes, desk)

    async def run(request: gr.Request) -> AsyncIterator[list[Any]]:
        session = session_of(request)
        opened = cases.get(session)
        is_idle = opened is not None and not (is_shown_again and opened.is_being_read)
        if opened is None or not is_idle or not case.awaits_model(cases, session, opened):
            # a generator that yields nothing would blank the page, a refusal with it
            yield [gr.skip()] * num_outputs
            return
        try:
            turn = desk.line.join()
        except JomedError as error:
            sentence = failure(error)
            cases.stopped(session, opened, sentence)
            yield changes(case.turned_away(sentence), session)
            return
        with turn:
            async for place, seconds in turn.places():
                if not case.awaits_model(cases, session, opened):
                    return  # purged meanwhile
                if cases.get(session) is opened:
                    yield changes(case.waiting(place, seconds), session)
            async for screen in turn.steps(case.run_case(engine, cases, session, opened)):
                if screen is not None:
                    yield changes(screen, session)

    return run


def _opener(desk: Desk, num_outputs: int) -> Any:
    """Return what opens an example for a visitor without a case: the linked one, or the first."""

    def on_load(request: gr.Request) -> list[Any]:
        session = session_of(request)
        if not has_secret(request) or desk.cases.get(session) is not None:
            return [gr.skip()] * num_outputs
        name = request.query_params.get(text.EXAMPLE_LINK)
        opening = desk.opening if name is None else desk.linked.get(name)
        if opening is None:
            unknown = closed(text.UNKNOWN_EXAMPLE)
            return (
                [gr.skip()] * num_outputs
                if name is None
                else screen_changes(desk, unknown, session)
            )
        return screen_changes(desk, opening.open(desk.engine, desk.cases, session), session)

    return on_load
