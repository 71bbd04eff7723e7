"""Decodes one frame of a DICOM file: stored, then modality values; display is `read`'s business.

Polarity, once: higher values are darker when the photometric interpretation is MONOCHROME1 or the
Presentation LUT Shape is INVERSE. Files often carry both; the two never cancel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from jomed_app.errors import DicomError
from jomed_app.imaging.dataset import is_little_endian, open_dataset
from jomed_app.imaging.deidentify import (
    MODALITIES,
    PHOTOMETRIC,
    allowed_metadata,
    read_numbers,
    read_term,
    window_name,
)
from jomed_app.imaging.frame import DecodedFrame
from jomed_app.imaging.grayscale import Lut, VoiFunction, to_finite_float32
from jomed_app.imaging.luts import apply_palette, read_lut
from jomed_app.imaging.pixels import decode_stored, frame_count
from jomed_app.imaging.quiet import quiet_decoding
from jomed_app.types import Check, Window

_COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_MAX_WINDOWS = 16


def decode_dicom(data: bytes, frame: int) -> DecodedFrame:
    """Decode one frame of a DICOM file.

    Args:
        data: the whole file.
        frame: from 0.

    Returns:
        Modality values for gray, RGB for color; the data set is dropped.

    Raises:
        DicomError: if the file holds no image that can be decoded.
    """
    decoded, failure = None, ""
    with quiet_decoding() as caught:
        try:
            decoded = _decode(open_dataset(data), frame, caught)
        except DicomError:
            raise
        except Exception as error:  # a damaged element may raise anything, with its text
            failure = type(error).__name__
    if decoded is None:
        raise DicomError(
            f"consistent image attributes are required, found damaged ones ({failure}); "
            "export the file again"
        )
    return decoded


def _decode(dataset: FileDataset, frame: int, caught: list[object]) -> DecodedFrame:
    """Decode with the libraries muted; `caught` fills with their warnings."""
    photometric = read_term(dataset, "PhotometricInterpretation", PHOTOMETRIC)
    if photometric is None:
        raise DicomError(
            "(0028,0004) Photometric Interpretation must be a standard term such as MONOCHROME2 or "
            "RGB, found none; export the file again"
        )
    if photometric not in (*_COLOR, "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"):
        raise DicomError(
            "(0028,0004) Photometric Interpretation must be MONOCHROME1, MONOCHROME2, PALETTE COLOR, "
            f"RGB or YBR, found '{photometric}'; export the file as RGB"
        )
    num_frames = frame_count(dataset)
    stored = decode_stored(dataset, frame)
    bits = int((read_numbers(dataset, "BitsStored") or [8.0 * stored.dtype.itemsize])[0])
    checks: list[Check] = []
    spacing = _pixel_spacing(dataset, frame)
    metadata = allowed_metadata(dataset, str(dataset.file_meta.TransferSyntaxUID))
    if spacing is not None:
        metadata.setdefault("PixelSpacing", f"{spacing[0]:g} x {spacing[1]:g}")
    checks += _annotation_flag(dataset)
    rgb: NDArray[np.uint8] | None = None
    gray: _Gray | None = None
    if photometric == "PALETTE COLOR" and stored.ndim == 2:
        rgb = apply_palette(stored, dataset, is_little_endian(dataset))
    elif photometric in _COLOR and stored.ndim == 3 and stored.shape[2] == 3:
        rgb = _color_to_uint8(stored, bits)
    elif photometric.startswith("MONOCHROME") and stored.ndim == 2:
        gray = _Gray(dataset, frame, stored, bits, checks)
    else:
        raise DicomError(
            f"(0028,0002) Samples per Pixel must fit '{photometric}', found "
            f"{1 if stored.ndim == 2 else stored.shape[2]}; export the file again"
        )
    checks.append(_conformance(len(caught)))
    return DecodedFrame(
        format="dicom",
        photometric=photometric,
        modality_values=gray.values if gray else None,
        rgb=rgb,
        inverted=gray.inverted if gray else False,
        keep_mask=gray.keep_mask if gray else None,
        bits_stored=bits,
        display_ready=gray.display_ready if gray else False,
        windows=gray.windows if gray else (),
        voi_function=gray.voi_function if gray else VoiFunction.LINEAR_EXACT,
        voi_lut=gray.voi_lut if gray else None,
        modality=read_term(dataset, "Modality", MODALITIES),
        metadata=metadata,
        num_frames=num_frames,
        pixel_spacing_mm=spacing,
        checks=tuple(checks),
    )


class _Gray:
    """The gray chain of one frame: stored -> modality values, with the windows over them."""

    def __init__(
        self,
        dataset: FileDataset,
        frame: int,
        stored: NDArray[np.generic],
        bits: int,
        checks: list[Check],
    ) -> None:
        self.keep_mask = _keep_mask(dataset, stored)
        modality, transformed = _to_modality(dataset, frame, stored, checks)
        self.values, mended = to_finite_float32(modality)
        if mended:
            checks.append(
                Check(name="finite", passed=False, message="Some pixels were not finite numbers.")
            )
        self.inverted = _polarity(dataset, checks)
        self.windows = _read_windows(dataset, frame, checks)
        self.voi_function = _voi_function(dataset, frame)
        self.voi_lut = _read_voi_lut(dataset, checks)
        self.display_ready = stored.dtype == np.uint8 and bits == 8 and not transformed


def _to_modality(
    dataset: FileDataset, frame: int, stored: NDArray[np.generic], checks: list[Check]
) -> tuple[NDArray[np.generic], bool]:
    """Apply the modality LUT, else rescale slope and intercept; tell whether anything changed."""
    for item in _items(dataset, "ModalityLUTSequence")[:1]:
        lut = read_lut(item, is_little_endian(dataset))
        if lut is not None:
            return lut(stored), True  # type: ignore[arg-type]
        checks.append(_damaged("modality_lut", "modality LUT"))
    source = _functional_group(dataset, frame, "PixelValueTransformationSequence") or dataset
    slope = (read_numbers(source, "RescaleSlope") or [1.0])[0]
    intercept = (read_numbers(source, "RescaleIntercept") or [0.0])[0]
    if slope == 0:
        checks.append(_damaged("rescale", "rescale slope of 0"))
        slope = 1.0
    if (slope, intercept) == (1.0, 0.0):
        return stored, False
    with np.errstate(over="ignore", invalid="ignore"):
        return stored.astype(np.float64) * slope + intercept, True


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
    source = _functional_group(dataset, frame, "FrameVOILUTSequence") or dataset
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
    source = _functional_group(dataset, frame, "FrameVOILUTSequence") or dataset
    term = read_term(source, "VOILUTFunction", frozenset(VoiFunction))
    return VoiFunction(term) if term else VoiFunction.LINEAR


def _read_voi_lut(dataset: FileDataset, checks: list[Check]) -> Lut | None:
    """Return the first VOI LUT."""
    for item in _items(dataset, "VOILUTSequence")[:1]:
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
    keep = (stored < low) | (stored > high)  # type: ignore[operator]
    return keep if keep.any() and not keep.all() else None


def _pixel_spacing(dataset: FileDataset, frame: int) -> tuple[float, float] | None:
    """Return (row, column) spacing in mm, from the frame's or the file's attributes."""
    group = _functional_group(dataset, frame, "PixelMeasuresSequence")
    for source, keyword in (
        (group, "PixelSpacing"),
        (dataset, "PixelSpacing"),
        (dataset, "ImagerPixelSpacing"),
    ):
        numbers = read_numbers(source, keyword) if source is not None else []
        if len(numbers) == 2 and min(numbers) > 0:
            return numbers[0], numbers[1]
    return None


def _functional_group(dataset: FileDataset, frame: int, keyword: str) -> Dataset | None:
    """Return a functional group item of an enhanced multi-frame file: per frame, else shared."""
    per_frame = _items(dataset, "PerFrameFunctionalGroupsSequence")
    candidates = per_frame[frame : frame + 1] + _items(dataset, "SharedFunctionalGroupsSequence")
    for group in candidates:
        if items := _items(group, keyword):
            return items[0]
    return None


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return a sequence's items; an absent or damaged sequence has none."""
    try:
        value = dataset.get(keyword)
        return [item for item in value or [] if isinstance(item, Dataset)]
    except Exception:  # a damaged value may raise anything
        return []


def _color_to_uint8(stored: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    """Scale color samples of any depth to 8 bits."""
    if stored.dtype == np.uint8 and bits == 8:
        return stored.astype(np.uint8)
    top = float(2 ** min(max(bits, 1), 32) - 1)
    return np.rint(255.0 * np.clip(stored.astype(np.float32) / top, 0.0, 1.0)).astype(np.uint8)


def _annotation_flag(dataset: FileDataset) -> list[Check]:
    """Report (0028,0301) Burned In Annotation when the file says YES."""
    if read_term(dataset, "BurnedInAnnotation", frozenset({"YES", "NO"})) != "YES":
        return []
    message = "The file says that text is burned into the picture; it may identify the patient."
    return [Check(name="burned_in_flag", passed=False, value="YES", message=message)]


def _damaged(name: str, what: str) -> Check:
    """Return a failed check on an attribute that was ignored."""
    return Check(name=name, passed=False, message=f"A damaged {what} in the file was ignored.")


def _conformance(num_warnings: int) -> Check:
    """Report how many warnings the decoder gave; never their text."""
    message = (
        "The file follows the DICOM standard as far as it was read."
        if num_warnings == 0
        else f"The file departs from the DICOM standard in {num_warnings} places; it still decoded."
    )
    return Check(
        name="conformance", passed=num_warnings == 0, value=float(num_warnings), message=message
    )
