"""BreastMNIST's selection of BUSI -> case records: breast ultrasound with boxes around lesions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import read_set_table

BUSI_FOLDER = "breastmnist_busi"
BUSI_PROVENANCE = {
    "source": "BUSI (BreastMNIST selection)",
    "label_made": "radiologists of the source set, biopsy where available; not reviewed by us",
    "known_noise": "near-duplicates; burnt-in calipers; four twin pairs with two labels",
}


def read_busi(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the prepared BreastMNIST/BUSI set: three classes, lesion boxes, twin groups.

    Ours: the passage words the annotated box only (place, size, proportions), since the set has
    no report; the class is never in it.

    Raises:
        RecordError: if the set's table is not there or lacks a field.
    """
    needed = frozenset({"image", "split", "index", "busi_class", "boxes", "w", "h"})
    folder, rows = read_set_table(data, BUSI_FOLDER, f"{BUSI_FOLDER}.parquet", needed)
    records = []
    for row in rows.to_dict("records"):
        boxes = sorted((Box(*map(float, box)) for box in row["boxes"]), key=lambda box: -box.area)
        width, height = int(row["w"]), int(row["h"])
        case_id = f"busi-{row['split']}-{int(row['index']):03d}"
        records.append(
            CaseRecord(
                case_id=case_id,
                image=str(row["image"]),
                label=str(row["busi_class"]),
                passage=box_passage(boxes, width, height),
                boxes=tuple(box.as_tuple() for box in boxes),
                group=f"busi-{int(row['group'])}" if "group" in row else case_id,
                split=str(row["split"]),
                rows=height,
                columns=width,
                provenance=BUSI_PROVENANCE,
            )
        )
    return folder, records


def box_passage(boxes: Sequence[Box], columns: int, rows: int) -> str:
    """Word the largest box: proportions, place, share of the width. Without boxes: none seen."""
    if not boxes:
        return "No focal mass."
    box = boxes[0]
    x, y = box.center
    across = ("left", "central", "right")[min(2, int(3 * x / columns))]
    deep = ("superficial", "middle depth", "deep")[min(2, int(3 * y / rows))]
    share = round(100 * box.width / columns)
    form = "vertical" if box.height > box.width else "parallel"
    count = f"{len(boxes)} masses" if len(boxes) > 1 else "Mass"
    return f"{count}, {form} orientation, {across}, {deep}, {share} % of the width."
