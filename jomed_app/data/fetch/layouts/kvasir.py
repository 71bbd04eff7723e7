"""Kvasir-SEG as published -> the table that `sources/kvasir.py` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import (
    IMAGES,
    Written,
    finish_table,
    mask_boxes,
    take_image,
)
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.sources.kvasir import KVASIR_FOLDER
from jomed_app.errors import FetchError

BOXES = "kavsir_bboxes.json"  # spelled so by its publisher


def write_kvasir(found: Published, out: Path, described: PublicSet) -> Written:
    """Write Kvasir-SEG: `images`, `masks` and the published boxes.

    Source: arXiv:1911.07069. The set has no split.

    Raises:
        FetchError: if the boxes are not there or are no JSON of their form.
    """
    path = found.one(BOXES)
    images, masks = found.by_name("images/*.jpg"), found.by_name("masks/*.jpg")
    written, rows = Written(), []
    try:
        stated: dict[str, Any] = json.loads(path.read_bytes())
        for stem, said in sorted(stated.items()):
            name = f"{stem}.jpg"
            size = take_image(images[name], out, name) if name in images else None
            if size is None:
                written.left_out["image that is missing or cannot be read"] += 1
                continue
            drawn = mask_boxes(masks[name], *size) if name in masks else None
            rows.append(
                {
                    "image": f"{IMAGES}/{name}",
                    "split": "",
                    "boxes": [
                        [float(box[edge]) for edge in ("xmin", "ymin", "xmax", "ymax")]
                        for box in said["bbox"]
                    ],
                    "mask_boxes": [list(box.as_tuple()) for box in drawn or []],
                    "w": size[1],
                    "h": size[0],
                }
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            f"'{path.name}' must list boxes by image as published, found another form; fetch it "
            "again"
        ) from error
    return finish_table(out, KVASIR_FOLDER, rows, written)
