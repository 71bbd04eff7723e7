"""BUSI as published -> records: a folder for each class, masks beside the images."""

from __future__ import annotations

import re
from pathlib import Path

from jomed_app.boxes import Box
from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import (
    IMAGES,
    Written,
    finish_records,
    mask_boxes,
    take_image,
)
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.busi import BUSI_PROVENANCE, box_passage

CLASSES = ("normal", "benign", "malignant")
_IMAGE = re.compile(r"[a-z]+ \((\d+)\)\.png")


def write_busi(found: Published, out: Path, described: PublicSet) -> Written:
    """Write BUSI: "benign/benign (1).png" with "benign (1)_mask.png", "benign (1)_mask_1.png".

    Source: Al-Dhabyani et al. 2020, doi:10.1016/j.dib.2019.104863.
    Ours: every connected part of a mask is a box; the passage words the largest, never the class.
    The set has no split. Images that are nearly the same form one group.
    """
    written = Written()
    records = []
    for label in CLASSES:
        files = found.by_name(f"{label}/*.png")
        for name, path in files.items():
            if not (match := _IMAGE.fullmatch(name)):
                continue
            case_id = f"busi-{label}-{int(match[1]):03d}"
            size = take_image(path, out, f"{case_id}.png")
            if size is None:
                written.left_out["image that cannot be read"] += 1
                continue
            boxes: list[Box] = []
            for mask in (files[each] for each in files if each.startswith(f"{path.stem}_mask")):
                parts = mask_boxes(mask, *size)
                if parts is None:
                    written.left_out["mask of another size, its image kept without it"] += 1
                boxes += parts or []
            boxes.sort(key=lambda box: -box.area)
            records.append(
                CaseRecord(
                    case_id=case_id,
                    image=f"{IMAGES}/{case_id}.png",
                    label=label,
                    passage=box_passage(boxes, size[1], size[0]),
                    boxes=tuple(box.as_tuple() for box in boxes),
                    rows=size[0],
                    columns=size[1],
                    provenance={
                        **BUSI_PROVENANCE, "source": described.title, "licence": described.licence
                    },
                )
            )  # fmt: skip
    return finish_records(out, records, written)
