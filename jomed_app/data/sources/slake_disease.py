"""SLAKE -> case records for localization: boxes of diseases alone, each with its class."""

from __future__ import annotations

from pathlib import Path

from jomed_app.boxes import Box
from jomed_app.data.formats.boxed import BoxedImage, boxed_record, checked_box
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import image_size, read_set_table
from jomed_app.data.sources.slake import SLAKE_FOLDER, SLAKE_SPLITS
from jomed_app.data.tasks import load_task
from jomed_app.data.twins import group_twins, hold_out_twins

SLAKE_DISEASE = "slake_disease"
OTHER_DISEASE = "other disease"
TWIN_CORRELATION = 0.98  # ours: slices of unlike patients often correlate above 0.95

_NEEDED = frozenset({"image", "split", "box_names", "is_disease", "boxes"})


def read_slake_disease(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the disease boxes of the prepared SLAKE set, one record per image.

    Source: SLAKE, arXiv:2102.09542.
    Ours: the label is the class of the largest disease box, "no disease box" where there is none,
    which does not say that the image is normal: diseases without a box are asked about in the
    set's questions. A class that the task does not list becomes "other disease". The passage
    words the boxes only. Near-twin slices share a group; a training image with a held-out twin
    gets the split "twin" (`hold_out_twins`). The table's split "validation" is our "val".

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        The folder that the records' image paths start from, and the records in the table's order.

    Raises:
        RecordError: if the set's table is not there, unreadable or lacks a field, an image cannot
            be read, or a box lies outside its image.
        BoxError: if a box is empty, inverted or not finite.
    """
    folder, table = read_set_table(data, SLAKE_FOLDER, f"{SLAKE_FOLDER}.parquet", _NEEDED)
    task = load_task(SLAKE_DISEASE)
    rows = table.to_dict("records")
    groups = group_twins(folder, [str(row["image"]) for row in rows], TWIN_CORRELATION)
    splits = hold_out_twins(groups, [SLAKE_SPLITS.get(row["split"], row["split"]) for row in rows])
    records = []
    for place, row in enumerate(rows):
        height, width = image_size(folder, row, place)
        named = zip(row["box_names"], row["boxes"], row["is_disease"], strict=True)
        boxes = []
        for name, edges, is_disease in named:
            if not is_disease:
                continue
            label = str(name).casefold()
            box = checked_box(
                Box(*map(float, edges)), width, height, f"row {place} of {SLAKE_FOLDER}"
            )
            boxes.append((label if label in task.labels else OTHER_DISEASE, box))
        found = BoxedImage(
            case_id=f"slake-{Path(row['image']).stem}",
            image=str(row["image"]),
            rows=height,
            columns=width,
            boxes=boxes,
            split=splits[place],
            group=f"slake-{groups[place]}",
            provenance=(
                ("source", "SLAKE (disease boxes)"),
                ("label_made", "class of the largest disease box of the set; not reviewed by us"),
                ("known_noise", "an image without a disease box need not be normal"),
            ),
        )
        records.append(boxed_record(task, found))
    return folder, records
