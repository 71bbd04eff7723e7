"""Kvasir-SEG -> case records: colonoscopy images with boxes around polyps."""

from __future__ import annotations

from pathlib import Path

from jomed_app.boxes import Box
from jomed_app.data.formats.boxed import BoxedImage, boxed_record, checked_box
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import read_set_table
from jomed_app.data.tasks import load_task
from jomed_app.data.twins import group_twins, hold_out_twins

KVASIR_FOLDER = "kvasir_seg"
POLYP = "polyp"

_NEEDED = frozenset({"image", "split", "boxes", "mask_boxes", "w", "h"})


def read_kvasir(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the prepared Kvasir-SEG set, one record per image; all of them show a polyp.

    Source: Kvasir-SEG, arXiv:1911.07069.
    Ours: boxes are those of the masks, or the published ones where a mask gave none; the passage
    words the boxes only. Near-duplicate frames share a group; a training frame with a held-out twin
    gets the split "twin" (`hold_out_twins`).

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        The folder that the records' image paths start from, and the records in the table's order.

    Raises:
        RecordError: if the set's table is not there, unreadable or lacks a field, an image cannot
            be read, or a box lies outside its image.
        BoxError: if a box is empty, inverted or not finite.
    """
    folder, table = read_set_table(data, KVASIR_FOLDER, f"{KVASIR_FOLDER}.parquet", _NEEDED)
    task, rows = load_task(POLYP), table.to_dict("records")
    groups = group_twins(folder, [str(row["image"]) for row in rows])
    splits = hold_out_twins(groups, [str(row["split"]) for row in rows])
    records = []
    for place, row in enumerate(rows):
        width, height = int(row["w"]), int(row["h"])
        marked = row["mask_boxes"] if len(row["mask_boxes"]) else row["boxes"]
        boxes = [Box(*map(float, box)) for box in marked]
        where = f"row {place} of {KVASIR_FOLDER}"
        found = BoxedImage(
            case_id=f"kvasir-{Path(row['image']).stem}",
            image=str(row["image"]),
            rows=height,
            columns=width,
            boxes=[(POLYP, checked_box(box, width, height, where)) for box in boxes],
            split=splits[place],
            group=f"kvasir-{groups[place]}",
            provenance=(
                ("source", "Kvasir-SEG"),
                ("label_made", "masks drawn by an engineer and a doctor, verified; not by us"),
            ),
        )
        records.append(boxed_record(task, found))
    return folder, records
