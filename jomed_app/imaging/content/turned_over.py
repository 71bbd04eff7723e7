"""A record with black and white exchanged, by the reader's wish."""

from __future__ import annotations

from dataclasses import replace

from jomed_app.errors import ImageError
from jomed_app.imaging.content.region import wish_of, with_region
from jomed_app.types import Check, ImageRecord


def turned_over(record: ImageRecord) -> ImageRecord:
    """Return a frame with black and white exchanged, its region looked at anew.

    Args:
        record: holds its whole picture; turned over a second time it is as it was.

    Raises:
        ImageError: if the record holds no whole picture.
    """
    picture = record.picture
    if picture is None:
        raise ImageError("inverting requires the whole picture, found none; open the file again")
    rendering = 255 - picture.rendering
    rendering.setflags(write=False)
    inverted = not record.info.inverted_as_asked
    said = Check(
        name="inversion",
        passed=True,
        value="inverted as asked" if inverted else "as stored",
        message="Gray values were inverted because you asked for it."
        if inverted
        else "Gray values were turned back because you asked for it.",
    )
    checks = tuple(said if check.name == said.name else check for check in record.info.checks)
    turned = replace(
        record,
        inverted=not record.inverted,
        picture=replace(picture, rendering=rendering),
        info=record.info.model_copy(update={"checks": checks, "inverted_as_asked": inverted}),
    )
    return with_region(turned, wish_of(record))
