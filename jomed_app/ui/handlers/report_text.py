"""The report text of the case that is shown, with what the reader chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jomed_app.export.report_text import Chosen, report_lines
from jomed_app.ui import text
from jomed_app.ui.handlers.removal import shown_result
from jomed_app.ui.handlers.screen import failure
from jomed_app.ui.protocol import ReadingEngine, info_of
from jomed_app.ui.session import Case


def report_server(
    engine: ReadingEngine, find: Callable[[str], Case | None]
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return the function that the page calls when the reader chooses side, clock or category.

    Args:
        engine: knows the task.
        find: token -> case, or None.
    """

    def report_text(request: Mapping[str, Any]) -> dict[str, Any]:
        """Return "lines", or "error", a sentence."""
        case = find(str(request.get("case", "")))
        result = None if case is None else case.result
        words = engine.info.task.report
        if case is None or result is None or words is None:
            return {"error": text.NO_CASE}
        try:
            chosen = Chosen(
                *(str(request.get(name) or "") for name in ("side", "hour", "category"))
            )
            lines = report_lines(
                words,
                shown_result(engine, case, result),
                finding=engine.info.task.finding,
                box_threshold=float(info_of(engine.info, case.retrieval).box_threshold),
                chosen=chosen,
            )
        except Exception as error:
            return {"error": failure(error)}
        return {"lines": lines}

    return report_text
