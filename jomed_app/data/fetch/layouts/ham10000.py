"""HAM10000 as published -> the table that `sources/ham10000.py` reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import (
    IMAGES,
    Written,
    finish_table,
    mask_boxes,
    take_image,
)
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.sources.ham10000 import HAM10000_FOLDER
from jomed_app.errors import FetchError

_NEEDED = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")


def write_ham10000(found: Published, out: Path, described: PublicSet) -> Written:
    """Write HAM10000: images by ISIC name, `HAM10000_metadata`, segmentations where they lie there.

    Source: arXiv:1803.10417; segmentations of Tschandl et al. 2020 (doi:10.1038/s41591-020-0942-0).
    Ours: images of one lesion are one group. The set has no split.

    Raises:
        FetchError: if the table of cases is not there or lacks a field.
    """
    table = found.one("HAM10000_metadata.tab", "HAM10000_metadata*")
    try:
        rows = pd.read_csv(table, sep=None, engine="python", dtype={"age": "float64"})
    except (ValueError, UnicodeDecodeError, OSError) as error:
        raise FetchError(
            f"'{table.name}' must be a table, found something else; fetch it again"
        ) from error
    if missing := sorted(set(_NEEDED) - set(rows.columns)):
        raise FetchError(f"'{table.name}' must have the fields {missing}, found none; fetch it")
    images, masks = found.by_name("*.jpg"), found.by_name("*_segmentation.png")
    written, kept = Written(), []
    for row in rows.to_dict("records"):
        name = f"{row['image_id']}.jpg"
        size = take_image(images[name], out, name) if name in images else None
        if size is None:
            written.left_out["image that is missing or cannot be read"] += 1
            continue
        mask = masks.get(f"{row['image_id']}_segmentation.png")
        boxes = (mask_boxes(mask, *size) or []) if mask else []
        kept.append(
            {
                "image": f"{IMAGES}/{name}",
                "split": "",
                "group": row["lesion_id"],
                "label": row["dx"],
                **{field: row[field] for field in ("dx_type", "age", "sex", "localization")},
                "boxes": [list(box.as_tuple()) for box in boxes],
                "w": size[1],
                "h": size[0],
            }
        )
    return finish_table(out, HAM10000_FOLDER, kept, written)
