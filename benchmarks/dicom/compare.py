"""What the app makes of a file, and whether DCMTK makes the same of it.

Both render the whole picture, of an ultrasound screen too, and get the same curve. A window that
the file names is read by each for itself; where the app computes one (percentiles), or finds it
where DCMTK does not look (functional groups), DCMTK is told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import FileDataset

from benchmarks.dicom.dcmtk import render
from jomed_app.errors import JomedError
from jomed_app.imaging import read_image
from jomed_app.imaging.dicom.deidentify import read_numbers
from jomed_app.imaging.dicom.groups import functional_group
from jomed_app.types import ImageRecord

TOLERANCE = 1  # gray levels of 255
COMPUTED = ("0.5-99.5 %", "constant")
CURVES = {"full range": "samples", "file LUT range": "VOI LUT"} | dict.fromkeys(
    COMPUTED, "percentiles"
)


def read_outcome(source: Path | bytes, frame: int = 0) -> dict[str, Any]:
    """Return what the app makes of one frame, in plain values.

    Returns:
        outcome ("read" or "refused"); the sentence of a refusal; else rows, columns, frames,
        photometric, curve (file window, VOI LUT, samples, percentiles or color) and the lowest,
        mean and highest display value.
    """
    try:
        record = read_image(source, frame=frame, region=None)
    except JomedError as error:
        return {"outcome": "refused", "sentence": str(error)}
    display = record.model_input
    return {
        "outcome": "read",
        "rows": record.info.rows,
        "columns": record.info.columns,
        "frames": record.num_frames,
        "photometric": record.info.photometric,
        "curve": curve_of(record),
        "lowest": int(display.min()),
        "mean": round(float(display.mean()), 2),
        "highest": int(display.max()),
    }


def curve_of(record: ImageRecord) -> str:
    """Return what made the display values."""
    if record.modality_values is None:
        return "color"
    return CURVES.get(record.windows[0].name, "file window")


def compare(path: Path, frame: int = 0) -> dict[str, Any]:
    """Return DCMTK's verdict on one frame of a file.

    Returns:
        dcmtk: "agrees" (within `TOLERANCE` everywhere), "differs", "does not decode", or "decodes"
        where the app refuses; largest: the largest difference, where both decode.
    """
    try:
        dataset = dcmread(path, force=True, stop_before_pixels=True)
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    except Exception:  # no DICOM file, or a damaged one; DCMTK may see it otherwise
        dataset, syntax = FileDataset("", {}), ""
    frame_option = ("+F", str(frame + 1))
    try:
        record = read_image(path, frame=frame, region=None)
    except JomedError:
        seen = render(path, syntax, frame_option)
        return {"dcmtk": "does not decode" if seen is None else "decodes"}
    seen = render(path, syntax, (*frame_option, *curve_options(record, dataset, frame)))
    if seen is None:
        return {"dcmtk": "does not decode"}
    return verdict(record.model_input, seen)


def verdict(ours: NDArray[np.uint8], seen: NDArray[np.uint8]) -> dict[str, Any]:
    """Compare (rows, columns, 3) with DCMTK's (rows, columns[, 3])."""
    if seen.ndim == 2:
        seen = np.repeat(seen[..., None], 3, axis=2)
    if seen.shape != ours.shape:
        return {"dcmtk": "differs", "largest": 255}
    largest = int(np.abs(ours.astype(int) - seen).max())
    return {"dcmtk": "agrees" if largest <= TOLERANCE else "differs", "largest": largest}


def curve_options(record: ImageRecord, dataset: FileDataset, frame: int) -> tuple[str, ...]:
    """Return the options that give DCMTK the app's curve."""
    match curve_of(record):
        case "color":
            return ()
        case "samples":
            return ("-W",)
        case "VOI LUT":
            return ("+Wl", "1")
        case "file window" if read_numbers(dataset, "WindowCenter"):
            exact = record.metadata.get("VOILUTFunction") == "LINEAR_EXACT"
            return _told(record, exact=True) if exact else ("+Wi", "1")
        case "file window":
            return _of_group(record, dataset, frame)
        case _:
            return _told(record, exact=True)


def _told(
    record: ImageRecord, *, exact: bool, slope: float = 1, intercept: float = 0
) -> tuple[str, ...]:
    """A window by number; of LINEAR_EXACT as the LINEAR one that is the same line."""
    window, shift = record.windows[0], float(exact)
    center = (window.center - intercept) / slope + shift / 2
    return ("+Ww", repr(center), repr(window.width / abs(slope) + shift), "+Wfl")


def _of_group(record: ImageRecord, dataset: FileDataset, frame: int) -> tuple[str, ...]:
    """A window of the functional groups, on stored values: DCMTK takes no rescale of a frame."""
    rescale = functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    slope = (read_numbers(rescale, "RescaleSlope") or [1.0])[0]
    intercept = (read_numbers(rescale, "RescaleIntercept") or [0.0])[0]
    polarity = ("+P",) if slope < 0 else ()  # a falling slope turns the picture over
    return ("-M", *_told(record, exact=False, slope=slope, intercept=intercept), *polarity)
