"""Decodes the stored values of one frame, after everything that sizes the work was checked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEGExtended12Bit, RLELossless

from jomed_app.errors import DicomError
from jomed_app.imaging.codestream import read_codestream_header, rle_expansion
from jomed_app.imaging.dicom.dataset import PIXEL_KEYWORDS
from jomed_app.imaging.dicom.deidentify import known_uid_name, read_numbers
from jomed_app.imaging.limits import (
    MAX_COMPRESSION,
    MAX_FRAMES,
    MAX_PIXELS,
    MAX_SCANS,
    MAX_SIDE_PX,
)

# What to install for syntaxes that the required decoders do not cover.
_LOSSLESS_DECODER = "python-gdcm or pylibjpeg-libjpeg (GPL-3)"
_12_BIT_DECODER = "pylibjpeg-libjpeg (GPL-3)"

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_TAIL_BYTES = 1024  # padding may follow the end mark


def frame_count(dataset: FileDataset) -> int:
    """Return the number of frames, at least 1.

    Raises:
        DicomError: if there are more frames than the limit.
    """
    numbers = read_numbers(dataset, "NumberOfFrames")
    count = max(1, int(numbers[0])) if numbers else 1
    if count > MAX_FRAMES:
        raise DicomError(
            f"(0028,0008) Number of Frames must be at most {MAX_FRAMES}, found {count}; "
            "export a part of the series"
        )
    return count


def decode_stored(dataset: FileDataset, frame: int) -> NDArray[np.generic]:
    """Decode one frame to stored values; YCbCr comes back as RGB.

    Args:
        dataset: an opened data set with pixel data.
        frame: from 0.

    Returns:
        (rows, columns) or (rows, columns, 3), the type that the file stores.

    Raises:
        DicomError: if the frame does not exist, is too large, contradicts its header, is damaged or
            needs a decoder that is not installed.
    """
    count = frame_count(dataset)
    if not 0 <= frame < count:
        raise DicomError(
            f"the frame must be from 0 to {count - 1}, found {frame}; choose another frame"
        )
    rows, columns = _checked_size(dataset)
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    name = (known_uid_name(syntax) or "an unknown transfer syntax").split(", ")[0]
    _require_decoder(syntax, name)
    stored, failure = None, ""
    try:
        if syntax.is_encapsulated:
            _check_codestream(dataset, frame, count, rows, columns)
        stored = pixel_array(dataset, index=frame)
    except DicomError:
        raise
    except BaseException as error:  # a decoder may raise anything; its text may quote the file
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # only a panic of a decoder written in Rust is one of ours to report
        failure = type(error).__name__
    if failure or stored is None:
        raise DicomError(_decode_failure(dataset, syntax, name, failure))
    if stored.shape[:2] != (rows, columns) or stored.ndim not in (2, 3):
        raise DicomError(
            f"the pixel data must hold {rows} x {columns} pixels, found another shape; "
            "export the file again"
        )
    return stored


def _checked_size(dataset: FileDataset) -> tuple[int, int]:
    """Return (rows, columns) within the limits."""
    size = []
    for keyword, tag in (("Rows", "(0028,0010)"), ("Columns", "(0028,0011)")):
        numbers = read_numbers(dataset, keyword)
        value = int(numbers[0]) if numbers else 0
        if not 1 <= value <= MAX_SIDE_PX:
            raise DicomError(
                f"{tag} {keyword} must be from 1 to {MAX_SIDE_PX}, "
                f"found {value if numbers else 'none'}; export the file again"
            )
        size.append(value)
    if math.prod(size) > MAX_PIXELS:
        raise DicomError(
            f"a frame must have at most {MAX_PIXELS // 10**6} million pixels, "
            f"found {size[0]} x {size[1]}; export a smaller image"
        )
    return size[0], size[1]


def _require_decoder(syntax: UID, name: str) -> None:
    """Raise when no decoder for the syntax is installed."""
    available = None
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = None
    if available is None:
        raise DicomError(
            f"a transfer syntax with a known decoder is required, found '{name}'; "
            "export the file uncompressed"
        )
    if not available:
        raise DicomError(
            f"'{name}' needs a decoder that is not installed; install {_LOSSLESS_DECODER}, "
            "or export the file uncompressed"
        )


def _check_codestream(
    dataset: FileDataset, frame: int, count: int, rows: int, columns: int
) -> None:
    """Raise when the compressed frame would unpack to another size than the header says."""
    offsets = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    extended = offsets if all(isinstance(part, bytes) for part in offsets) else None
    encoded = get_frame(dataset.PixelData, frame, number_of_frames=count, extended_offsets=extended)
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        samples = read_numbers(dataset, "SamplesPerPixel") or [1.0]
        bits = read_numbers(dataset, "BitsAllocated") or [8.0]
        expected = int(rows * columns * samples[0] * max(1.0, bits[0] / 8))
        allowed = 2 * expected + 4096
        # A run unpacks to at most 64 times its bytes: count only where that could hurt.
        if len(encoded) * 64 > max(allowed, 1 << 28) and rle_expansion(encoded, allowed) > allowed:
            raise DicomError("an RLE frame must unpack to its size, found more; export it again")
        return
    header = read_codestream_header(encoded)
    if header is not None and (
        (header.rows, header.columns) != (rows, columns)
        or header.components > 4
        or header.scans > MAX_SCANS
    ):
        raise DicomError(
            f"a compressed frame must hold {rows} x {columns} pixels, found {header.rows} x "
            f"{header.columns} with {header.components} components in {header.scans} scans; "
            "export the file again"
        )
    # Without its end mark a JPEG-LS frame of 150 bytes keeps CharLS busy for 13 s (measured).
    if encoded.startswith(_JPEG_START) and _JPEG_END not in encoded[-_TAIL_BYTES:]:
        raise DicomError("a compressed frame must end with its mark, found none; export it again")
    # Nor may a decoder spend a minute over pixels that were never written.
    least = rows * columns // MAX_COMPRESSION
    if rows * columns > 4_000_000 and len(encoded) < least:
        raise DicomError(
            f"a compressed frame of {rows} x {columns} pixels must hold at least {least} bytes, "
            f"found {len(encoded)}; export the file again"
        )


def _decode_failure(dataset: FileDataset, syntax: UID, name: str, failure: str) -> str:
    """Return the one sentence on why a frame could not be decoded."""
    bits = (read_numbers(dataset, "BitsStored") or [8.0])[0]
    if syntax == JPEGExtended12Bit and bits > 8:
        return (
            f"12-bit '{name}' needs a decoder that is not installed; install {_12_BIT_DECODER}, "
            "or export the file uncompressed"
        )
    present = next((key for key in PIXEL_KEYWORDS if key in dataset), "PixelData")
    size = len(dataset.get(present) or b"")
    return (
        f"complete pixel data is required, found {size} bytes of '{name}' that do not decode "
        f"({failure}); export the file again"
    )
