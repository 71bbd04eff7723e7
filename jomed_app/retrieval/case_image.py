"""What is indexed of a case's image: the same part, prepared in the same way, as of a query's.

The region that the file names, else the one that is detected on a machine's screen, else the whole
picture (`imaging.content.region`). Ours: a region that cuts a known box is not taken, since the
case itself says that it is the wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord
from jomed_app.errors import ImageError, RecordError
from jomed_app.imaging import read_image
from jomed_app.imaging.content.region import SOURCE_WORDS, with_region
from jomed_app.types import ImageRecord, Region, RegionSource

FORGIVEN_PX = 2.0  # that a box may reach out of a region: boxes are drawn by hand
PROVENANCE_KEY = "part read"


@dataclass(frozen=True, slots=True)
class CaseImage:
    """One case as it is indexed.

    Attributes:
        record: rows, columns and boxes are of the part that was read.
        pixels: (rows, columns, 3) uint8, of that part.
        sha256: of the file's bytes.
        source: who says which part.
    """

    record: CaseRecord
    pixels: NDArray[np.uint8]
    sha256: str
    source: RegionSource


def read_case_image(record: CaseRecord, number: int, folder: Path) -> CaseImage:
    """Read the image of a case.

    Args:
        record: its boxes are in px of the file.
        number: of the case, from 1, for the error's text.
        folder: what the image's path is relative to.

    Raises:
        RecordError: if the image cannot be read, or has another size than the record says.
    """
    try:
        image = read_image(record.image_in(folder))
    except ImageError as error:
        raise RecordError(
            f"case {number} ('{record.case_id}') must have a readable image: {error}"
        ) from error
    rows, columns = image.info.rows, image.info.columns
    if (rows, columns) != (record.rows, record.columns):
        raise RecordError(
            f"case {number} ('{record.case_id}') must state the size of its image, found "
            f"{record.rows} x {record.columns} for an image of {rows} x {columns} px; "
            "correct rows and columns in its record"
        )
    region = _region(image)
    if not all(_holds(region, box) for box in record.box_list):
        image = with_region(image, "whole")
        region = _region(image)
    return CaseImage(_of_region(record, region), image.model_input, image.sha256, region.source)


def _region(image: ImageRecord) -> Region:
    assert image.info.region is not None, "what is read of a picture is known"
    return image.info.region


def _holds(region: Region, box: Box) -> bool:
    """Whether a box lies in a region, but for a px or two, and its middle in any case."""
    x, y = box.center
    return (
        region.x0 < x < region.x1
        and region.y0 < y < region.y1
        and box.x0 >= region.x0 - FORGIVEN_PX
        and box.y0 >= region.y0 - FORGIVEN_PX
        and box.x1 <= region.x1 + FORGIVEN_PX
        and box.y1 <= region.y1 + FORGIVEN_PX
    )


def _of_region(record: CaseRecord, region: Region) -> CaseRecord:
    """Return a record in px of a region; of a whole picture it is the same."""
    if region.source == "whole":
        return record
    rows, columns = region.y1 - region.y0, region.x1 - region.x0
    shifted = [box.shifted(-region.x0, -region.y0) for box in record.box_list]
    inside = [box.clipped(columns, rows) for box in shifted]
    words = (
        f"{columns} x {rows} px at {region.x0}, {region.y0} of {record.columns} x {record.rows} "
        f"px, {SOURCE_WORDS[region.source]}"
    )
    return record.model_copy(
        update={
            "rows": rows,
            "columns": columns,
            "boxes": tuple(box.as_tuple() for box in inside if box is not None),
            "provenance": record.provenance | {PROVENANCE_KEY: words},
        }
    )
