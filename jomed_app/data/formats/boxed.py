"""What boxed data of any format have in common: image files, borders, order of boxes, passage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.errors import RecordError

IMAGES_FOLDER = "images"
BORDER_SLACK = 1.0  # px that a box may lie outside by rounding; such a box is cut to the image

_ORIENTATION_TAG = 0x0112  # Exif; such images are turned upright when they are read
_ON_ITS_SIDE = range(5, 9)


@dataclass(frozen=True, slots=True)
class BoxedImage:
    """An annotated image, whatever the format it came in.

    Attributes:
        case_id: unique within the data.
        image: path relative to the data folder.
        rows: height of the image, px.
        columns: width of the image, px.
        boxes: class and box (px of the image) of every finding, in any order.
        split: train, val, test or empty.
        group: cases that must not be torn apart by a split; empty stands alone.
        passage: what is written about the case; empty lets the boxes be worded.
        provenance: printable facts.
    """

    case_id: str
    image: str
    rows: int
    columns: int
    boxes: Sequence[tuple[str, Box]]
    split: str = ""
    group: str = ""
    passage: str = ""
    provenance: tuple[tuple[str, str], ...] = ()


def boxed_record(task: Task, found: BoxedImage) -> CaseRecord:
    """Make a case record: the class of the largest box is the case's, all boxes are kept.

    Args:
        task: its labels must cover the boxes' classes.
        found: the image; without boxes it gets the task's first label without a finding.

    Raises:
        RecordError: if a class is not the task's, or there is no box and no label for that.
    """
    for name, _ in found.boxes:
        check_class(task, name, f"case '{found.case_id}'")
    largest_first = sorted(found.boxes, key=lambda pair: -pair[1].area)
    names = tuple(name for name, _ in largest_first)
    boxes = [box for _, box in largest_first]
    passage = found.passage or region_passage(task.finding, boxes, found.columns, found.rows)
    return CaseRecord(
        case_id=found.case_id,
        image=found.image,
        label=names[0] if names else empty_label(task, f"case '{found.case_id}'"),
        passage=passage,
        boxes=tuple(box.as_tuple() for box in boxes),
        box_labels=names if len(set(names)) > 1 else (),
        group=found.group,
        split=found.split,
        rows=found.rows,
        columns=found.columns,
        provenance=dict(found.provenance),
    )


def check_class(task: Task, name: str, where: str) -> None:
    """Refuse a class that a box cannot have.

    Raises:
        RecordError: if the class is not among the task's labels with a finding.
    """
    known = [label for label in task.labels if label not in task.empty_labels]
    if name not in known:
        raise RecordError(
            f"the class of a box must be one of {known}, {where} has '{name}'; rename it or add it "
            f"to the labels of task '{task.name}'"
        )


def empty_label(task: Task, where: str) -> str:
    """Return the label of an image without a finding, the first that the task names.

    Raises:
        RecordError: if the task names none.
    """
    if not task.empty_labels:
        raise RecordError(
            f"task '{task.name}' requires a box on every image, {where} has none; add empty_labels "
            "to the task or leave the image out"
        )
    return task.empty_labels[0]


def checked_box(box: Box, columns: int, rows: int, where: str) -> Box:
    """Return the box, cut to the image where rounding took it over the border.

    Args:
        box: px of the image.
        columns: width of the image, px.
        rows: height of the image, px.
        where: names the annotation in an error.

    Raises:
        RecordError: if it lies more than one pixel outside.
    """
    inside = box.clipped(columns, rows)
    outside = max(-box.x0, -box.y0, box.x1 - columns, box.y1 - rows)
    if inside is None or outside > BORDER_SLACK:
        raise RecordError(
            f"a box must lie on its image of {columns} x {rows} px, {where} has "
            f"{tuple(round(edge, 1) for edge in box.as_tuple())}; boxes are px of the image file"
        )
    return inside


def find_image(folder: Path, name: str, where: str) -> str:
    """Return the path of an image relative to the data folder: there, or in its `images`.

    Raises:
        RecordError: if the name leads out of the folder or there is no such file.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise RecordError(
            f"an image must be named by a path inside the data folder, {where} names another; give "
            "a relative path"
        )
    for candidate in (path, PurePosixPath(IMAGES_FOLDER) / path):
        if (folder / candidate).is_file():
            return str(candidate)
    raise RecordError(
        f"every image must be in the data folder or its folder '{IMAGES_FOLDER}', found no file "
        f"for {where}; add it or remove its annotations"
    )


def check_image_size(folder: Path, image: str, columns: int, rows: int, where: str) -> None:
    """Refuse a stated size that is not the file's: its boxes would lie somewhere else.

    Ours: of raster files only the header is read, sizes are those of the upright image; a DICOM
    file is not opened here.

    Raises:
        RecordError: if the sizes differ.
    """
    from PIL import Image

    try:
        with Image.open(folder / image) as opened:
            columns_found, rows_found = opened.size
            if opened.getexif().get(_ORIENTATION_TAG, 1) in _ON_ITS_SIDE:
                columns_found, rows_found = rows_found, columns_found
    except OSError:
        return
    if (columns_found, rows_found) != (columns, rows):
        raise RecordError(
            f"boxes must be px of the image file, {where} states {columns} x {rows} px, the file "
            f"has {columns_found} x {rows_found}; scale the boxes to the file"
        )


def region_passage(finding: str, boxes: Sequence[Box], columns: int, rows: int) -> str:
    """Word how many findings there are and where the largest lies; never the class.

    Args:
        finding: what a box encloses, in the singular.
        boxes: px of the image, largest first.
        columns: width of the image, px.
        rows: height of the image, px.
    """
    if not boxes:
        return f"No {finding} is marked."
    x, y = boxes[0].center
    across = ("left", "center", "right")[min(2, int(3 * x / columns))]
    down = ("upper", "middle", "lower")[min(2, int(3 * y / rows))]
    share = round(100 * boxes[0].area / (columns * rows))
    count = f"{len(boxes)} {finding}s, the largest" if len(boxes) > 1 else finding.capitalize()
    size = f"{share} %" if share else "less than 1 %"
    return f"{count}: {down} third, {across} third of the image, {size} of its area."
