"""The gray chain of one DICOM frame: stored to modality values, and what the file says on display.

Polarity, once: higher values are darker when the photometric interpretation is MONOCHROME1 or the
Presentation LUT Shape is INVERSE. Files often carry both; the two never cancel.
Source: DICOM PS3.3 C.11.1 (modality), C.11.2 (VOI), C.7.6.3.1.2 and C.11.6 (polarity).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from jomed_app.imaging.dicom.dataset import is_little_endian
from jomed_app.imaging.dicom.deidentify import PHOTOMETRIC, read_numbers, read_term, window_name
from jomed_app.imaging.dicom.groups import functional_group, items
from jomed_app.imaging.dicom.luts import read_lut
from jomed_app.imaging.grayscale import Lut, VoiFunction, by_rows, to_finite_values
from jomed_app.types import Check, GrayValues, Window

_MAX_WINDOWS = 16


@dataclass(frozen=True, slots=True)
class GrayChain:
    """Modality values of a frame and how they are meant to be shown.

    Attributes:
        values: (rows, columns), finite; uint8 where `display_ready`, see `GrayValues`.
        keep_mask: (rows, columns), False on padding; None when there is none.
        inverted: whether higher values are darker.
        windows: the usable windows in file order.
        voi_function: how a window is applied.
        voi_lut: the first VOI LUT.
        display_ready: the values are 8-bit samples that nothing transformed.
        checks: what was damaged or contradictory.
    """

    values: GrayValues
    keep_mask: NDArray[np.bool_] | None
    inverted: bool
    windows: tuple[Window, ...]
    voi_function: VoiFunction
    voi_lut: Lut | None
    display_ready: bool
    checks: tuple[Check, ...]


def read_gray_chain(
    dataset: FileDataset, frame: int, stored: NDArray[np.generic], bits: int
) -> GrayChain:
    """Take one monochrome frame to modality values.

    Args:
        dataset: the opened data set; it is not kept.
        frame: from 0, for per-frame attributes.
        stored: (rows, columns) stored values.
        bits: (0028,0101) Bits Stored.
    """
    checks: list[Check] = []
    modality, transformed = _to_modality(dataset, frame, stored, checks)
    display_ready = stored.dtype == np.uint8 and bits == 8 and not transformed
    values: GrayValues = stored.astype(np.uint8, copy=False)
    mended = False
    if not display_ready:
        values, mended = to_finite_values(modality)
    if mended:
        message = "Some pixels were not finite numbers and were replaced."
        checks.append(Check(name="finite", passed=False, message=message))
    inverted = _polarity(dataset, checks)
    windows = _read_windows(dataset, frame, checks)
    voi_lut = _read_voi_lut(dataset, checks)
    return GrayChain(
        values=values,
        keep_mask=_keep_mask(dataset, stored),
        inverted=inverted,
        windows=windows,
        voi_function=_voi_function(dataset, frame),
        voi_lut=voi_lut,
        display_ready=display_ready,
        checks=tuple(checks),
    )


def _to_modality(
    dataset: FileDataset, frame: int, stored: NDArray[np.generic], checks: list[Check]
) -> tuple[NDArray[np.generic], bool]:
    """Apply the modality LUT, else rescale slope and intercept; tell whether anything changed."""
    for item in items(dataset, "ModalityLUTSequence")[:1]:
        lut = read_lut(item, is_little_endian(dataset))
        if lut is not None:
            return by_rows(stored, lut, np.float32), True
        checks.append(_damaged("modality_lut", "modality LUT"))
    source = functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    slope = (read_numbers(source, "RescaleSlope") or [1.0])[0]
    intercept = (read_numbers(source, "RescaleIntercept") or [0.0])[0]
    if slope == 0:
        checks.append(_damaged("rescale", "rescale slope of 0"))
        slope = 1.0
    if (slope, intercept) == (1.0, 0.0):
        return stored, False
    kind = np.float64 if np.issubdtype(stored.dtype, np.floating) else np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        return by_rows(stored, lambda each: each.astype(np.float64) * slope + intercept, kind), True


def _polarity(dataset: FileDataset, checks: list[Check]) -> bool:
    """Return whether higher values are darker: MONOCHROME1 or INVERSE, once."""
    first = read_term(dataset, "PhotometricInterpretation", PHOTOMETRIC) == "MONOCHROME1"
    shape = read_term(dataset, "PresentationLUTShape", frozenset({"IDENTITY", "INVERSE"}))
    if shape is not None and first != (shape == "INVERSE"):
        message = "The photometric interpretation and the presentation LUT shape contradict."
        checks.append(Check(name="polarity", passed=False, value=shape, message=message))
    return first or shape == "INVERSE"


def _read_windows(dataset: FileDataset, frame: int, checks: list[Check]) -> tuple[Window, ...]:
    """Return the usable windows in file order."""
    source = functional_group(dataset, frame, "FrameVOILUTSequence") or dataset
    centers = read_numbers(source, "WindowCenter")
    widths = read_numbers(source, "WindowWidth")
    try:
        value = source.get("WindowCenterWidthExplanation") or []
        names = [value] if isinstance(value, str) else [str(item) for item in value]
    except Exception:  # a damaged value may raise anything
        names = []
    windows = []
    for number, (center, width) in enumerate(zip(centers, widths, strict=False), start=1):
        if width > 0 and number <= _MAX_WINDOWS:
            explanation = names[number - 1] if number <= len(names) else ""
            windows.append(Window(center, width, window_name(explanation, number)))
    if len(windows) < min(max(len(centers), len(widths)), _MAX_WINDOWS):
        checks.append(_damaged("windows", "display window"))
    return tuple(windows)


def _voi_function(dataset: FileDataset, frame: int) -> VoiFunction:
    """Return the VOI LUT function, LINEAR when absent."""
    source = functional_group(dataset, frame, "FrameVOILUTSequence") or dataset
    term = read_term(source, "VOILUTFunction", frozenset(VoiFunction))
    return VoiFunction(term) if term else VoiFunction.LINEAR


def _read_voi_lut(dataset: FileDataset, checks: list[Check]) -> Lut | None:
    """Return the first VOI LUT."""
    for item in items(dataset, "VOILUTSequence")[:1]:
        lut = read_lut(item, is_little_endian(dataset))
        if lut is not None:
            return lut
        checks.append(_damaged("voi_lut", "VOI LUT"))
    return None


def _keep_mask(dataset: FileDataset, stored: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    """Return True where a pixel is no padding (0028,0120/0121); None when there is none."""
    start = read_numbers(dataset, "PixelPaddingValue")[:1]
    if not start:
        return None
    end = read_numbers(dataset, "PixelPaddingRangeLimit")[:1] or start
    low, high = sorted((start[0], end[0]))
    keep = by_rows(
        stored, lambda each: (each < np.float64(low)) | (each > np.float64(high)), np.bool_
    )
    return keep if keep.any() and not keep.all() else None


def _damaged(name: str, what: str) -> Check:
    """Return a failed check on an attribute that was ignored."""
    return Check(name=name, passed=False, message=f"A damaged {what} in the file was ignored.")
