"""Read the same real images bare and inside machine screens, and count where the answers part.

Run: python -m benchmarks.reliability.screens.run --data DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from benchmarks.reliability.records import FOLDER, keep
from benchmarks.reliability.screens.layouts import LAYOUTS, Screen, draw_screen
from benchmarks.reliability.screens.text_recall import COVERED, covered_share, screen_recall
from jomed_app.boxes import Box, iou
from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX
from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import load_task
from jomed_app.imaging import read_image
from jomed_app.imaging.content.text import MIN_PAINTED, find_text, paint_over
from jomed_app.inference.engine import Engine
from jomed_app.inference.load import load_engine
from jomed_app.simulator.case import simulate_case
from jomed_app.simulator.frame import TEXTS
from jomed_app.types import BoxResult, Completed, ImageRecord, RegionWish, Result

JPEG_QUALITY = 92
SCREEN_ROUNDS = 10  # of all layouts, to count lines of text
# Name of a way -> kind of file, what is read of it.
WAYS: dict[str, tuple[str, RegionWish]] = {
    "tag, DICOM": ("dicom", "found"),
    "detected, PNG": ("png", "found"),
    "detected, JPEG": ("jpeg", "found"),
    "read whole, PNG": ("png", "whole"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One image inside a screen against the same image bare."""

    layout: str
    region_iou: float
    is_same: bool
    box_iou: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, compare and write the counts."""
    chosen = _parse(arguments)
    folder, records = load_corpus(load_task("breast"), chosen.data, ("train", "val"))
    order = np.random.default_rng(chosen.seed).permutation(len(records))[: chosen.count]
    engine = load_engine(chosen.bundle, chosen.index)
    pairs = read_pairs(engine, folder, records, order.tolist(), range(len(order)), chosen.seed)
    values = {
        "images": len(order),
        "seed": chosen.seed,
        "layouts": list(LAYOUTS),
        "ways": {way: figures(each) for way, each in pairs.items()},
        "by_layout": {
            layout: figures([each for each in pairs["detected, PNG"] if each.layout == layout])
            for layout in LAYOUTS
        },
        "bare": bare_figures(folder, records),
        "text": {
            "simulated": simulated_recall(chosen.simulated),
            "screens": screen_recall(SCREEN_ROUNDS),
        },
        "bundle": engine.info.versions.bundle,
    }
    keep("screens", values, chosen.out)
    return 0


def read_pairs(
    engine: Engine,
    folder: Path,
    records: Sequence[CaseRecord],
    order: Sequence[int],
    numbers: Iterable[int],
    seed: int,
) -> dict[str, list[Pair]]:
    """Read images bare and in screens, every way.

    Args:
        engine: answers.
        folder: of the images.
        records: all of them.
        order: the records that were drawn.
        numbers: places in `order` to read.
        seed: of the screens.
    """
    pairs: dict[str, list[Pair]] = {way: [] for way in WAYS}
    for number in numbers:
        path = folder / records[order[number]].image
        pixels = np.asarray(Image.open(path).convert("RGB"))
        known: dict[bytes, Result] = {}
        bare = _answer(engine, read_image(path), known)
        layout = list(LAYOUTS)[number % len(LAYOUTS)]
        screen = draw_screen(pixels, LAYOUTS[layout], np.random.default_rng([seed, number]))
        for way, (kind, wish) in WAYS.items():
            inside = _answer(engine, read_image(file_bytes(screen, kind), region=wish), known)
            pairs[way].append(compare(layout, screen, pixels, bare, inside))
        sys.stderr.write(f"image {number} read\n")
    return pairs


def _answer(engine: Engine, image: ImageRecord, known: dict[bytes, Result]) -> Result:
    """Answer an image, or take the answer to the very same pixels, moved to where they lie."""
    key = image.model_input.tobytes()
    if key not in known:
        *_, completed = engine.run(image)
        assert isinstance(completed, Completed), "the last event carries the result"
        known[key] = completed.result
        return completed.result
    result = known[key]
    old, new = result.input.region, image.info.region
    assert old is not None, "a file of a user has a region"
    assert new is not None, "a file of a user has a region"
    across, down = new.x0 - old.x0, new.y0 - old.y0
    boxes = tuple(
        box.model_copy(update={"x0": box.x0 + across, "x1": box.x1 + across,
                               "y0": box.y0 + down, "y1": box.y1 + down})
        for box in result.boxes
    )  # fmt: skip
    return result.model_copy(update={"input": image.info, "boxes": boxes})


def compare(
    layout: str, screen: Screen, image: NDArray[np.uint8], bare: Result, inside: Result
) -> Pair:
    """Compare an answer on a screen with that on the bare image.

    Args:
        layout: of the screen.
        screen: holds the image.
        image: (rows, columns, 3), bare.
        bare: its answer.
        inside: the answer on the screen.
    """
    x0, y0, x1, y1 = screen.corners
    region = inside.input.region
    assert region is not None, "a file of a user has a region"
    scale = (x1 - x0) / image.shape[1]
    overlap = None
    if bare.boxes and inside.boxes:
        moved = _box(inside.boxes[0]).shifted(-x0, -y0).scaled(1 / scale, 1 / scale)
        overlap = iou(_box(bare.boxes[0]), moved)
    return Pair(
        layout=layout,
        region_iou=iou(Box(*map(float, region.corners)), Box(x0, y0, x1, y1)),
        is_same=bare.final.prediction == inside.final.prediction,
        box_iou=overlap,
    )


def figures(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Count what stayed the same."""
    boxes = [each.box_iou for each in pairs if each.box_iou is not None]
    regions = [each.region_iou for each in pairs]
    return {
        "images": len(pairs),
        "same_diagnosis": sum(each.is_same for each in pairs),
        "boxes": len(boxes),
        "box_iou_mean": _rounded(np.mean(boxes)) if boxes else None,
        "box_iou_at_least_0.9": sum(each >= 0.9 for each in boxes),
        "region_iou_mean": _rounded(np.mean(regions)) if regions else None,
        "region_iou_least": _rounded(min(regions)) if regions else None,
        "regions_to_the_pixel": sum(each == 1 for each in regions),
    }


def bare_figures(folder: Path, records: Sequence[CaseRecord]) -> dict[str, Any]:
    """Count crops of bare images, and how much of a lesion the painting over of text touches."""
    cropped = with_text = painted = touched = 0
    shares = []
    for record in records:
        image = read_image(folder / record.image)
        assert image.picture is not None, "a file of a user has a picture"
        region = image.info.region
        cropped += region is not None and region.source != "whole"
        if not image.picture.text:
            continue
        with_text += 1
        painted += len(image.picture.text) >= MIN_PAINTED
        changed = (paint_over(image.picture.rendering, image.picture.text)
                   != image.picture.rendering).any(axis=2)  # fmt: skip
        boxes = [tuple(map(round, box)) for box in record.boxes]
        inside = [changed[y0:y1, x0:x1].mean() for x0, y0, x1, y1 in boxes]
        touched += any(share > 0 for share in inside)
        shares += [float(share) for share in inside if share > 0]
    return {
        "images": len(records),
        "cropped": cropped,
        "with_text": with_text,
        "painted_over": painted,
        "lesions_touched": touched,
        "share_of_a_touched_lesion_mean": _rounded(np.mean(shares)) if shares else 0.0,
        "share_of_a_touched_lesion_most": _rounded(max(shares, default=0.0)),
    }


def simulated_recall(count: int) -> dict[str, int]:
    """Count the side labels that the simulator burns in, and those that are found."""
    drawn = found = lines = stray = cropped = 0
    original = ImageDraw.ImageDraw.text
    for seed in range(count):
        places: list[Box] = []

        def note(
            draw: ImageDraw.ImageDraw, at: Any, words: Any, *rest: Any,
            _places: list[Box] = places, **settings: Any,
        ) -> None:  # fmt: skip
            if words in TEXTS:
                box = draw.textbbox(at, words, font=settings["font"])
                _places.append(Box(*map(float, box)))
            original(draw, at, words, *rest, **settings)

        with mock.patch.object(ImageDraw.ImageDraw, "text", note):
            case = simulate_case(seed)
        image = np.repeat(case.image[..., None], 3, axis=2) if case.image.ndim == 2 else case.image
        text = [Box(*map(float, line)) for line in find_text(image)]
        record = read_image(_png(image))
        cropped += record.info.region is not None and record.info.region.source != "whole"
        drawn += len(places)
        found += sum(
            any(covered_share(place, line) >= COVERED for line in text) for place in places
        )
        lines += len(text)
        stray += sum(not any(covered_share(place, line) > 0 for place in places) for line in text)
    return {"images": count, "drawn": drawn, "found": found, "lines": lines, "stray": stray,
            "cropped": cropped}  # fmt: skip


def file_bytes(screen: Screen, kind: str) -> bytes:
    """Return a screen as a PNG, a JPEG, or a DICOM file that names its region."""
    if kind == "png":
        return _png(screen.pixels)
    if kind == "jpeg":
        stream = BytesIO()
        Image.fromarray(screen.pixels).save(stream, "JPEG", quality=JPEG_QUALITY)
        return stream.getvalue()
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = UltrasoundImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "US"
    dataset.Rows, dataset.Columns = screen.pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.PlanarConfiguration = 7, 0, 0
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionLocationMinX0, item.RegionLocationMinY0 = screen.corners[:2]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = (side - 1 for side in screen.corners[2:])
    dataset.SequenceOfUltrasoundRegions = DicomSequence([item])
    dataset.PixelData = screen.pixels.tobytes()
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _box(found: BoxResult) -> Box:
    return Box(found.x0, found.y0, found.x1, found.y1)


def _rounded(value: Any) -> float:
    return round(float(value), 4)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="root of the public sets")
    parser.add_argument("--count", type=int, default=100, help="images put into screens")
    parser.add_argument("--simulated", type=int, default=120, help="simulated images with text")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the record")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--index", type=Path, default=DEFAULT_INDEX)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
