"""VinDr-style tables -> case records: one line per box and reader, boxes of readers merged.

Columns: image_id, class_name, x_min, y_min, x_max, y_max (px) and, where several readers marked
the same images, rad_id; optional width, height (px), split and group. A line of class
"No finding" has no coordinates.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jomed_app.boxes import Box, iou
from jomed_app.data.formats.boxed import (
    IMAGES_FOLDER,
    BoxedImage,
    boxed_record,
    check_class,
    check_image_size,
    checked_box,
    find_image,
)
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import image_size
from jomed_app.data.tasks import Task
from jomed_app.errors import BoxError, RecordError

VINDR_FILE = "annotations.csv"
NO_FINDING = "No finding"
MERGE_IOU = 0.5
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom")

_COORDINATES = ("x_min", "y_min", "x_max", "y_max")
_NEEDED = ("image_id", "class_name", *_COORDINATES)


def read_vindr(
    data: Path, task: Task, *, merge_iou: float = MERGE_IOU
) -> tuple[Path, list[CaseRecord]]:
    """Read `annotations.csv` of a data folder.

    Source: VinDr-CXR, arXiv:2012.15029: each training film was marked by three of 17 readers.
    Ours: boxes of one class are merged across readers (`merge_readers`), and the provenance says
    how many readers marked each box ("box_readers", in the order of the boxes) and how many saw
    the image ("num_readers"). A case has no finding only if no reader marked a box.

    Args:
        data: the folder; an image is `image_id`, with or without an ending, in it or in its
            folder `images`.
        task: its labels are the class names; "No finding" is its first empty label.
        merge_iou: in (0, 1]; see `merge_readers`.

    Returns:
        The folder that the records' image paths start from, and the records by first appearance.

    Raises:
        RecordError: if the table or an image is missing, a column is missing, a class is not the
            task's, or a box is incomplete, empty or outside its image.
    """
    records = []
    for image_id, rows in _read_table(data / VINDR_FILE).groupby("image_id", sort=False):
        lines = rows.to_dict("records")
        image, height, width = _find(data, lines[0])
        marked: dict[str, list[tuple[Hashable, Box]]] = {}
        for line in lines:
            if (box := _box(line, task, width, height)) is not None:
                marked.setdefault(line["class_name"], []).append((line["rad_id"], box))
        merged = [
            (name, box, num_readers)
            for name, found in marked.items()
            for box, num_readers in merge_readers(found, merge_iou)
        ]
        merged.sort(key=lambda each: -each[1].area)
        provenance = {
            "source": "user data in VinDr format",
            "num_readers": str(len({line["rad_id"] for line in lines})),
        }
        if merged:
            provenance["box_readers"] = "; ".join(str(readers) for _, _, readers in merged)
        found_image = BoxedImage(
            case_id=f"vindr-{image_id}",
            image=image,
            rows=height,
            columns=width,
            boxes=[(name, box) for name, box, _ in merged],
            split=lines[0]["split"],
            group=lines[0]["group"],
            provenance=tuple(provenance.items()),
        )
        records.append(boxed_record(task, found_image))
    return data, records


def merge_readers(
    marked: Sequence[tuple[Hashable, Box]], merge_iou: float = MERGE_IOU
) -> list[tuple[Box, int]]:
    """Merge what several readers marked as one finding.

    Ours: boxes are taken from the largest down; each joins the cluster whose mean box it overlaps
    most, if their IoU is at least `merge_iou` and the cluster holds no box of the same reader,
    and founds a new cluster otherwise. A cluster's box is the mean of its members' edges.

    Args:
        marked: reader and box, of one image and one class; px.
        merge_iou: in (0, 1].

    Returns:
        Boxes and how many readers marked each, largest first; the order of `marked` is of no
        matter unless two boxes are equally large.

    Raises:
        ValueError: if merge_iou lies outside (0, 1].
    """
    if not 0 < merge_iou <= 1:
        raise ValueError(f"merge_iou must lie in (0, 1], found {merge_iou}; try {MERGE_IOU}")
    clusters: list[dict[Hashable, Box]] = []
    for reader, box in sorted(marked, key=lambda pair: -pair[1].area):
        free = [cluster for cluster in clusters if reader not in cluster]
        best = max(free, key=lambda cluster: iou(_mean_box(cluster), box), default=None)
        if best is None or iou(_mean_box(best), box) < merge_iou:
            best = {}
            clusters.append(best)
        best[reader] = box
    merged = [(_mean_box(cluster), len(cluster)) for cluster in clusters]
    return sorted(merged, key=lambda pair: -pair[0].area)


def _mean_box(cluster: dict[Hashable, Box]) -> Box:
    """The mean of the members' edges."""
    return Box(*np.mean([box.as_tuple() for box in cluster.values()], axis=0).tolist())


def _read_table(path: Path) -> pd.DataFrame:
    """Read the table: text columns as text, coordinates as numbers, lines numbered."""
    if not path.is_file():
        raise RecordError(f"VinDr data must hold {VINDR_FILE}, found none in '{path.parent.name}'")
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        said = " ".join(str(error).split())
        raise RecordError(f"{VINDR_FILE} must be a table separated by commas: {said}") from error
    if missing := [name for name in _NEEDED if name not in rows.columns]:
        raise RecordError(
            f"{VINDR_FILE} must have the columns {list(_NEEDED)}, found none named {missing}"
        )
    for name in ("rad_id", "split", "group"):
        if name not in rows.columns:
            rows[name] = ""
    for name in (*_COORDINATES, "width", "height"):
        if name in rows.columns:
            rows[name] = pd.to_numeric(rows[name], errors="coerce")
    rows["line"] = np.arange(2, len(rows) + 2)  # as an editor numbers them, after the heading
    return rows


def _find(data: Path, line: dict[str, Any]) -> tuple[str, int, int]:
    """The path of an image, whose ending the table may leave out, and its rows and columns."""
    where = _where(line)
    names = [f"{line['image_id']}{suffix}" for suffix in SUFFIXES]
    there = [
        name for name in names for place in (data, data / IMAGES_FOLDER) if (place / name).is_file()
    ]
    image = find_image(data, there[0] if there else line["image_id"], where)
    row = {"image": image, "h": line.get("height"), "w": line.get("width")}
    height, width = image_size(data, row, int(line["line"]) - 2)
    check_image_size(data, image, width, height, where)
    return image, height, width


def _where(line: dict[str, Any]) -> str:
    """Names a line in an error."""
    return f"line {line['line']} of {VINDR_FILE}"


def _box(line: dict[str, Any], task: Task, width: int, height: int) -> Box | None:
    """The box of a line, px, inside its image; None for a line that says no finding."""
    where = _where(line)
    edges = tuple(float(line[name]) for name in _COORDINATES)
    if line["class_name"] == NO_FINDING:
        if not np.isnan(edges).all():
            raise RecordError(f"'{NO_FINDING}' must have no coordinates, {where} has {edges}")
        return None
    check_class(task, line["class_name"], where)
    try:
        box = Box(*edges)
    except BoxError as error:
        raise RecordError(
            f"a box must have {', '.join(_COORDINATES)} as numbers, min below max, {where} has "
            f"{edges}"
        ) from error
    return checked_box(box, width, height, where)
