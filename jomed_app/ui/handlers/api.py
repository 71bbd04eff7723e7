"""The documented endpoint: a file in, the Result JSON out."""

from __future__ import annotations

from typing import Any

from jomed_app.errors import JomedError
from jomed_app.imaging import read_image
from jomed_app.types import Completed, Result
from jomed_app.ui.protocol import ReadingEngine


def diagnose(engine: ReadingEngine, data: bytes) -> dict[str, Any]:
    """Return the Result JSON of a file, as the command line prints it.

    Raises:
        JomedError: if the file cannot be read or the engine refuses it.
    """
    completed: Result | None = None
    for event in engine.run(read_image(data)):
        if isinstance(event, Completed):
            completed = event.result
    if completed is None:
        raise JomedError("a run must end with a result, found none; report this with the version")
    return completed.model_dump(mode="json", by_alias=True)
