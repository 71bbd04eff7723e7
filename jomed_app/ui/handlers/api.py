"""The documented endpoint: an image in, the Result JSON out."""

from __future__ import annotations

from typing import Any

from jomed_app.errors import JomedError
from jomed_app.imaging import turned_over
from jomed_app.imaging.content.region import parse_region
from jomed_app.types import Completed, ImageRecord, RegionWish, Result
from jomed_app.ui.protocol import ReadingEngine


def region_asked(sent: object) -> RegionWish:
    """Return which part of a picture a call asks for, in the words of the command line.

    Args:
        sent: as it came; None, where an older call ends before it, asks for the region found.

    Raises:
        ImageError: if it is neither "found", "whole" nor "x0,y0,x1,y1" in px of the file.
    """
    return parse_region("found" if sent is None else str(sent))


def diagnose(
    engine: ReadingEngine, image: ImageRecord, invert: bool = False, anyway: bool = False
) -> dict[str, Any]:
    """Return the Result JSON of an image, as the command line prints it.

    Args:
        engine: reads.
        image: the decoded file, of which one part is read.
        invert: exchange black and white before reading.
        anyway: go past checks that ask, for research; see `Engine.run`.

    Raises:
        JomedError: if the engine refuses it.
    """
    completed: Result | None = None
    for event in engine.run(turned_over(image) if invert else image, anyway=anyway):
        if isinstance(event, Completed):
            completed = event.result
    if completed is None:
        raise JomedError("a run must end with a result, found none; report this with the version")
    return completed.model_dump(mode="json", by_alias=True)
