"""What layouts have in common: images taken over as they are, boxes of masks, records written."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord, write_records
from jomed_app.data.twins import group_twins, joined_groups
from jomed_app.errors import FetchError

IMAGES = "images"
SPECK = 0.01  # ours: a part of a mask below this share of its largest part is a slip of the pen
INSIDE = 127  # of 255: masks that were saved as JPEG have gray borders


@dataclass
class Written:
    """What a layout wrote.

    Attributes:
        cases: images with what is known of them.
        twins: cases that share a group with another one, by their pixels; None where groups come
            with the set or are found when it is read.
        left_out: why -> how many images were left out.
    """

    cases: int = 0
    twins: int | None = None
    left_out: Counter[str] = field(default_factory=Counter)


def take_image(path: Path, out: Path, name: str) -> tuple[int, int] | None:
    """Copy an image file, byte for byte, into `out/images`.

    Returns:
        (rows, columns), px; None where it cannot be read as an image, and nothing is copied.
    """
    size = image_size_px(path)
    if size is not None:
        (out / IMAGES).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / IMAGES / name)
    return size


def image_size_px(source: Path | bytes) -> tuple[int, int] | None:
    """Return (rows, columns) of an image file or its bytes; None where it cannot be decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            image.load()
            return image.height, image.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def mask_boxes(mask: Path, rows: int, columns: int) -> list[Box] | None:
    """Return a box around each connected part of a mask, largest part first.

    Args:
        mask: image file, bright where the finding is.
        rows: height of the image that it belongs to, px.
        columns: its width, px.

    Returns:
        XYXY px, half-open; None where the mask cannot be read or is of another size.
    """
    from PIL import Image
    from scipy import ndimage

    if image_size_px(mask) != (rows, columns):
        return None
    with Image.open(mask) as image:
        inside = np.asarray(image.convert("L")) > INSIDE
    parts, count = ndimage.label(inside, structure=np.ones((3, 3)))
    if not count:
        return []
    areas = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    kept = np.flatnonzero(areas >= SPECK * areas.max())
    places = ndimage.find_objects(parts)
    boxes = []
    for part in sorted(kept, key=lambda part: -areas[part]):
        down, across = places[part]
        boxes.append(Box(float(across.start), float(down.start),
                         float(across.stop), float(down.stop)))  # fmt: skip
    return boxes


def finish_records(out: Path, records: Sequence[CaseRecord], written: Written) -> Written:
    """Write the records; near-duplicates and cases of one group in the set are one group.

    Raises:
        FetchError: if there is no case.
    """
    if not records:
        raise FetchError(
            "a set must hold cases in its published layout, found none that can be read; give "
            "--from its archive, or the folder it was unpacked to"
        )
    twins = group_twins(out, [record.image for record in records])
    groups = joined_groups([record.group for record in records], twins)
    times = Counter(twins)
    stem = records[0].case_id.partition("-")[0]
    write_records(
        out,
        (
            record.model_copy(update={"group": f"{stem}-{group}"})
            for record, group in zip(records, groups, strict=True)
        ),
    )
    written.cases, written.twins = len(records), sum(times[group] > 1 for group in twins)
    return written


def finish_table(out: Path, name: str, rows: Sequence[dict[str, Any]], written: Written) -> Written:
    """Write the table that a reader in `sources` reads.

    Raises:
        FetchError: if there is no row.
    """
    if not rows:
        raise FetchError(
            "a set must hold cases in its published layout, found none that can be read; give "
            "--from its archive, or the folder it was unpacked to"
        )
    pd.DataFrame(rows).to_parquet(out / f"{name}.parquet")
    written.cases = written.cases or len(rows)
    return written
