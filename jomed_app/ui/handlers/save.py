"""Saving the case that is shown: a file of one kind, made in memory and handed to the browser."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from jomed_app.export.kinds import KINDS, export
from jomed_app.export.saved import saved
from jomed_app.ui import text
from jomed_app.ui.handlers.removal import shown_result
from jomed_app.ui.handlers.screen import failure
from jomed_app.ui.panels.diagnosis.save import SHOWN
from jomed_app.ui.protocol import ReadingEngine
from jomed_app.ui.session import Case

FILE_NAME = "jomed-case"


def save_server(
    engine: ReadingEngine, find: Callable[[str], Case | None]
) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """Return the function that the page calls to get a file of the case that it shows.

    Args:
        engine: works out the answer without the cases that the reader took out.
        find: token -> case, or None.
    """

    def save_case(request: Mapping[str, Any]) -> dict[str, str]:
        """Return "name", "type" and "data" in base64, or "error", a sentence."""
        try:
            kind, case = KINDS[str(request["kind"])], find(str(request["case"]))
        except (KeyError, TypeError):
            return {"error": text.NOT_SAVED}
        result = None if case is None else case.result
        if case is None or result is None or kind.name not in SHOWN:
            return {"error": text.NOT_SAVED}
        try:
            with case.in_use():
                shown = shown_result(engine, case, result)
                kept = saved(shown, case.image, engine.info.hashes)
                content = export(kind.name, kept, case.image)
        except Exception as error:
            return {"error": failure(error)}
        return {
            "name": f"{FILE_NAME}{kind.suffix}",
            "type": kind.media_type,
            "data": base64.b64encode(content).decode("ascii"),
        }

    return save_case
