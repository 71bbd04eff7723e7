"""COCO detection files -> case records.

Format: a JSON object with `images` (id, file_name, width, height), `categories` (id, name) and
`annotations` (image_id, category_id, bbox as x, y, width, height in px, iscrowd).
Ours: an image may also carry `split`, `group` and `caption`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jomed_app.boxes import Box
from jomed_app.data.formats.boxed import (
    BoxedImage,
    boxed_record,
    check_class,
    check_image_size,
    checked_box,
    find_image,
)
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.errors import BoxError, RecordError, first_fault

COCO_FILE = "annotations.json"


class _Image(BaseModel):
    """An entry of `images`; further keys are passed over."""

    model_config = ConfigDict(frozen=True)

    id: int | str
    file_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    split: str = ""
    group: str = ""
    caption: str = ""


class _Category(BaseModel):
    """An entry of `categories`."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str


class _Annotation(BaseModel):
    """An entry of `annotations`."""

    model_config = ConfigDict(frozen=True)

    image_id: int | str
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _CocoFile(BaseModel):
    """The parts of a COCO file that count."""

    model_config = ConfigDict(frozen=True)

    images: tuple[_Image, ...]
    categories: tuple[_Category, ...]
    annotations: tuple[_Annotation, ...]


def read_coco(data: Path, task: Task) -> tuple[Path, list[CaseRecord]]:
    """Read `annotations.json` of a data folder.

    Source: arXiv:1405.0312 (COCO), detection format.
    Ours: the record's label is the class of its largest box. An image without annotations has no
    finding. Annotations marked `iscrowd` enclose groups and are skipped; an image that has only
    such is left out, since it is neither empty nor boxed.

    Args:
        data: the folder; image paths start from it or from its folder `images`.
        task: its labels are the categories' names; its first empty label that of empty images.

    Returns:
        The folder that the records' image paths start from, and the records in the file's order.

    Raises:
        RecordError: if the file or an image is missing, does not follow the format, names a
            category or image that is not there, or a box is empty or outside its image.
    """
    content = _read_file(data / COCO_FILE)
    names = {category.id: category.name for category in content.categories}
    images = {image.id: image for image in content.images}
    if len(images) != len(content.images):
        raise RecordError(f"{COCO_FILE} must have one entry per image id, found an id again")
    boxes: dict[int | str, list[tuple[str, Box]]] = {}
    is_crowded = set()
    for place, annotation in enumerate(content.annotations):
        where = f"annotation {place} of {COCO_FILE}"
        if annotation.image_id not in images:
            raise RecordError(f"an annotation must name an image of the file, {where} names none")
        if annotation.iscrowd:
            is_crowded.add(annotation.image_id)
            continue
        if annotation.category_id not in names:
            raise RecordError(
                f"an annotation must name a category of the file, {where} names the unknown "
                f"{annotation.category_id}"
            )
        name = names[annotation.category_id]
        check_class(task, name, where)
        box = _box(annotation, images[annotation.image_id], where)
        boxes.setdefault(annotation.image_id, []).append((name, box))
    kept = [image for image in content.images if image.id in boxes or image.id not in is_crowded]
    return data, [
        boxed_record(
            task,
            BoxedImage(
                case_id=f"coco-{image.id}",
                image=_find(data, image),
                rows=image.height,
                columns=image.width,
                boxes=boxes.get(image.id, []),
                split=image.split,
                group=image.group,
                passage=image.caption.strip(),
                provenance=(("source", "user data in COCO format"),),
            ),
        )
        for image in kept
    ]


def _find(data: Path, image: _Image) -> str:
    """The path of an image whose stated size is its file's."""
    where = f"image {image.id} of {COCO_FILE}"
    path = find_image(data, image.file_name, where)
    check_image_size(data, path, image.width, image.height, where)
    return path


def _read_file(path: Path) -> _CocoFile:
    """Read and check the file."""
    if not path.is_file():
        raise RecordError(f"COCO data must hold {COCO_FILE}, found none in '{path.parent.name}'")
    try:
        return _CocoFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RecordError(
            f"{COCO_FILE} must follow the COCO detection format: {first_fault(error, 'file')}"
        ) from error


def _box(annotation: _Annotation, image: _Image, where: str) -> Box:
    """The box of an annotation, px, inside its image."""
    x, y, width, height = annotation.bbox
    try:
        box = Box(x, y, x + width, y + height)
    except BoxError as error:
        raise RecordError(
            f"a bbox must be x, y, width, height with width and height above 0, {where} has "
            f"{annotation.bbox}"
        ) from error
    return checked_box(box, image.width, image.height, where)
