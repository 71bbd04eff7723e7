"""Decodes one frame of a DICOM file to modality values (gray) or RGB; the data set is dropped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from jomed_app.errors import DicomError
from jomed_app.imaging.dicom.dataset import is_little_endian, open_dataset
from jomed_app.imaging.dicom.deidentify import (
    MODALITIES,
    PHOTOMETRIC,
    allowed_metadata,
    read_numbers,
    read_term,
)
from jomed_app.imaging.dicom.gray_chain import GrayChain, read_gray_chain
from jomed_app.imaging.dicom.groups import functional_group
from jomed_app.imaging.dicom.luts import apply_palette
from jomed_app.imaging.dicom.pixels import decode_stored, frame_count
from jomed_app.imaging.dicom.regions import read_region
from jomed_app.imaging.frame import DecodedFrame
from jomed_app.imaging.grayscale import VoiFunction, by_rows
from jomed_app.imaging.quiet import quiet_decoding
from jomed_app.types import Check

_COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


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
        except (DicomError, MemoryError):
            raise
        except Exception as error:  # a damaged element may raise anything, with its text
            failure = type(error).__name__
    if decoded is None:
        raise DicomError(
            f"consistent image attributes are required, found damaged ones ({failure}); "
            "export the file again"
        )
    return decoded


def _decode(dataset: FileDataset, frame: int, caught: Sequence[object]) -> DecodedFrame:
    """Decode with the libraries muted; `caught` fills with their warnings."""
    photometric = read_term(dataset, "PhotometricInterpretation", PHOTOMETRIC)
    if photometric is None:
        raise DicomError(
            "(0028,0004) Photometric Interpretation must be a standard term such as MONOCHROME2 or "
            "RGB, found none; export the file again"
        )
    if photometric not in (*_COLOR, "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"):
        raise DicomError(
            "(0028,0004) Photometric Interpretation must be MONOCHROME1, MONOCHROME2, PALETTE "
            f"COLOR, RGB or YBR, found '{photometric}'; export the file as RGB"
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
    named = read_region(dataset, *stored.shape[:2])
    checks += named.checks
    rgb: NDArray[np.uint8] | None = None
    gray: GrayChain | None = None
    if photometric == "PALETTE COLOR" and stored.ndim == 2:
        rgb = apply_palette(stored, dataset, is_little_endian(dataset))
    elif photometric in _COLOR and stored.ndim == 3 and stored.shape[2] == 3:
        rgb = _color_to_uint8(stored, bits)
    elif photometric.startswith("MONOCHROME") and stored.ndim == 2:
        gray = read_gray_chain(dataset, frame, stored, bits)
        checks += gray.checks
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
        region=named.region,
        checks=tuple(checks),
    )


def _pixel_spacing(dataset: FileDataset, frame: int) -> tuple[float, float] | None:
    """Return (row, column) spacing in mm, from the frame's or the file's attributes."""
    group = functional_group(dataset, frame, "PixelMeasuresSequence")
    for source, keyword in (
        (group, "PixelSpacing"),
        (dataset, "PixelSpacing"),
        (dataset, "ImagerPixelSpacing"),
    ):
        numbers = read_numbers(source, keyword) if source is not None else []
        if len(numbers) == 2 and min(numbers) > 0:
            return numbers[0], numbers[1]
    return None


def _color_to_uint8(stored: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    """Scale color samples of any depth to 8 bits."""
    if stored.dtype == np.uint8 and bits == 8:
        return stored.astype(np.uint8, copy=False)
    top = float(2 ** min(max(bits, 1), 32) - 1)
    return by_rows(
        stored,
        lambda each: np.rint(255.0 * np.clip(each.astype(np.float32) / top, 0.0, 1.0)),
        np.uint8,
    )


def _annotation_flag(dataset: FileDataset) -> list[Check]:
    """Report (0028,0301) Burned In Annotation when the file says YES."""
    if read_term(dataset, "BurnedInAnnotation", frozenset({"YES", "NO"})) != "YES":
        return []
    message = "The file says that text is burned into the picture; it may identify the patient."
    return [Check(name="burned_in_flag", passed=False, value="YES", message=message)]


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
