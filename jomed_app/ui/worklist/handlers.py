"""What happens to the list: an image joins it, is shown again, is marked; and its table."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jomed_app.export.table import Row as Cells
from jomed_app.export.table import columns_of, csv_bytes
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.ui import text
from jomed_app.ui.handlers.case import opened
from jomed_app.ui.handlers.removal import wish_of_case, with_moved
from jomed_app.ui.handlers.screen import Screen, closed, failure
from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.panels.top.checks import Checks
from jomed_app.ui.panels.viewer.viewer import viewer_value
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case, CaseStore
from jomed_app.ui.study.study import Study
from jomed_app.ui.worklist.rows import MOST_ROWS, ListRow, Mark

FILE_NAME = "jomed-worklist.csv"
FIRST_COLUMNS = ("number", "state", "mark", "not_read_because")


def row_asked(sent: Mapping[str, Any]) -> int | None:
    """Return the number of a row that the page sent; None for anything else."""
    number = sent.get("row")
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return number if 1 <= number <= MOST_ROWS else None


def enlist(
    engine: ReadingEngine, store: CaseStore, session: str, row: int, data: bytes, sender: str = ""
) -> Case | None:
    """Decode a file and put it on the list, behind what is shown; None where it was refused."""
    try:
        image = read_untrusted(data, sender=sender)
    except Exception as error:
        store.refuse(session, row, failure(error))
        return None
    case = Case(
        image=image,
        file_bytes=data if image.num_frames > 1 else None,
        sender=sender,
        row=row,
        is_new=True,
        retrieval=store.search(session, engine.info.opens_with),
        study=store.studies.begin(session),
    )
    store.enlist(session, case)
    return case


def show_row(engine: ReadingEngine, store: CaseStore, session: str, row: int | None) -> Screen:
    """Show an image of the list as it was left; one that was not read has to be run then."""
    case = None if row is None else store.show(session, row)
    if case is None:
        sentence = refusal_of(store, session, row)
        if not sentence:
            return Screen(banner=Banner(text.ROW_GONE))
        store.leave(session)
        return closed(sentence)
    if case.is_new and case.study is not None:
        case.study = Study()  # its clock begins when the image is shown
    case.is_new = False
    if case.result is not None:
        screen = with_moved(engine, case, wish_of_case(case), text.STATUS_LISTED)
        return replace(screen, checks=Checks(case.result.input, case.image.metadata))
    if not case.is_being_read:
        case.allow_run()
    reading = Reading(info=case.image.info, retrieval=case.retrieval)
    try:
        value = viewer_value(case, reading, engine)
    except Exception as error:
        return Screen(banner=Banner(failure(error)))
    return opened(engine, case, value, text.STATUS_WAITING)


def refusal_of(store: CaseStore, session: str, row: int | None) -> str:
    """Return why an image of the list was refused; empty where it was not."""
    with store.worklist(session) as listed:
        held = listed.rows.get(row) if listed is not None and row is not None else None
        return held.said if held is not None and held.state == "refused" else ""


def mark_row(store: CaseStore, session: str, row: int | None, mark: object) -> None:
    """Note a mark beside a row; the mark that it has already is taken away."""
    chosen: Mark = "done" if mark == "done" else "again" if mark == "again" else ""
    with store.worklist(session) as listed:
        if listed is not None and row in listed.rows:
            held = listed.rows[row]
            held.mark = "" if held.mark == chosen else chosen


def list_value(store: CaseStore, session: str) -> dict[str, Any]:
    """Return what the page shows of a session's list: its key, the open row, and every row."""
    shown = store.get(session)
    with store.worklist(session) as listed:
        if listed is None:
            return {"key": "", "current": None, "rows": []}
        current = shown.row if shown is not None and listed.holds(shown) else None
        return {
            "key": listed.key,
            "current": current,
            "rows": [
                {
                    "row": row.number,
                    "state": row.state,
                    "held": row.case is not None,
                    "mark": row.mark,
                    "words": row_words(row),
                }
                for row in listed
            ],
        }


def row_words(row: ListRow) -> str:
    """Return what a row says of its image: the answer, why there is none, or nothing yet."""
    if row.case is not None and row.case.is_hiding:
        return row.said or text.LISTED_HIDDEN
    if row.cells is None:
        return row.said
    answer, probability = row.cells.get("answer"), row.cells.get("probability")
    if answer is None:
        words = text.LISTED_NO_ANSWER
    else:
        words = f"{answer} {probability:.2f}" if isinstance(probability, float) else f"{answer}"
        standing = text.STANDINGS_IN_A_LIST.get(str(row.cells.get("standing")))
        words = f"{words}, {standing}" if standing else words
    return f"{words} ({text.LISTED_LEFT})" if row.state == "left" else words


def table_server(store: CaseStore) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """Return the function that the page calls to get the table of its list, a row an image.

    Args:
        store: of lists, found by their key.
    """

    def save_list(request: Mapping[str, Any]) -> dict[str, str]:
        """Return "name", "type" and "data" in base64, or "error", a sentence."""
        key = request.get("key") if isinstance(request, Mapping) else None
        with store.worklist_by_key(key if isinstance(key, str) else "") as listed:
            rows = [] if listed is None else [table_row(row) for row in listed]
        if not rows:
            return {"error": text.LIST_GONE}
        content = csv_bytes(rows, columns_of(rows, FIRST_COLUMNS))
        return {
            "name": FILE_NAME,
            "type": "text/csv",
            "data": base64.b64encode(content).decode("ascii"),
        }

    return save_list


def table_row(row: ListRow) -> Cells:
    """Return one image's row of the table, no file's name, and nothing that is still hidden."""
    first: Cells = {
        "number": row.number,
        "state": row.state,
        "mark": row.mark or None,
        "not_read_because": row.said or None,
    }
    is_hidden = row.case is not None and row.case.is_hiding
    return first if is_hidden else {**first, **(row.cells or {})}
