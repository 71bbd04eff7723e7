"""Decodes the stored values of one frame, after everything that sizes the work was checked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, RLELossless

from jomed_app.errors import DicomError
from jomed_app.imaging.codestream import box_fault, read_codestream_header, rle_expansion
from jomed_app.imaging.dicom.cells import PixelCell, read_cell
from jomed_app.imaging.dicom.dataset import PIXEL_KEYWORDS
from jomed_app.imaging.dicom.decoders import choose_decoder
from jomed_app.imaging.dicom.deep_ybr import deep_ybr_to_rgb
from jomed_app.imaging.dicom.deidentify import (
    PHOTOMETRIC,
    known_uid_name,
    read_numbers,
    read_term,
)
from jomed_app.imaging.limits import (
    MAX_COMPRESSION,
    MAX_FRAMES,
    MAX_PIXELS,
    MAX_SCANS,
    MAX_SIDE_PX,
)

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
    dataset.NumberOfFrames = count  # pydicom would stop at a damaged one
    rows, columns = _checked_size(dataset)
    cell = read_cell(dataset)
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    name = (known_uid_name(syntax) or "an unknown transfer syntax").split(", ")[0]
    plugin = choose_decoder(syntax, name, cell.stored if cell else 0)
    if cell is not None and cell.unused_below:
        _require_plain_cells(dataset, syntax, cell)
    if cell is not None and cell.stored > 8 and not syntax.is_encapsulated:
        _require_whole_color(dataset, cell)
    stored, failure = None, ""
    try:
        if syntax.is_encapsulated:
            _check_codestream(dataset, frame, count, rows, columns)
        stored = _decode(dataset, frame, plugin, cell)
    except (DicomError, MemoryError):
        raise
    except BaseException as error:  # a decoder may raise anything; its text may quote the file
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # only a panic of a decoder written in Rust is one of ours to report
        failure = type(error).__name__
    if failure or stored is None:
        raise DicomError(_decode_failure(dataset, name, failure))
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


def _require_plain_cells(dataset: FileDataset, syntax: UID, cell: PixelCell) -> None:
    """Raise when samples that do not start at bit 0 lie in anything but plain gray cells."""
    samples = (read_numbers(dataset, "SamplesPerPixel") or [1.0])[0]
    if samples != 1 or (syntax.is_encapsulated and syntax != RLELossless):
        raise DicomError(
            f"(0028,0102) High Bit of a color or compressed image must be {cell.stored - 1}, one "
            f"below its Bits Stored, found {cell.high}; export the file again"
        )


def _require_whole_color(dataset: FileDataset, cell: PixelCell) -> None:
    """Raise when two pixels of more than 8 bits share their color: nothing tells how."""
    if read_term(dataset, "PhotometricInterpretation", PHOTOMETRIC) == "YBR_FULL_422":
        raise DicomError(
            "(0028,0004) Photometric Interpretation YBR_FULL_422 must have samples of 8 bits, "
            f"found {cell.stored}; export the file as RGB"
        )


def _decode(
    dataset: FileDataset, frame: int, plugin: str, cell: PixelCell | None
) -> NDArray[np.generic]:
    """Decode with the one plugin, and take the samples out of their cells."""
    if cell is not None and 8 < cell.stored <= 16 and _is_ybr(dataset):
        ybr = pixel_array(dataset, index=frame, decoding_plugin=plugin, raw=True)
        return deep_ybr_to_rgb(ybr, cell.stored) if ybr.ndim == 3 else ybr
    if cell is None or not cell.unused_below:
        return pixel_array(dataset, index=frame, decoding_plugin=plugin)
    # As far up as High Bit the cell is a number whose lowest bits are not part of the sample.
    whole = pixel_array(dataset, index=frame, decoding_plugin=plugin, bits_stored=cell.high + 1)
    shifted: NDArray[np.generic] = whole >> cell.unused_below  # keeps the sign
    return shifted


def _is_ybr(dataset: FileDataset) -> bool:
    """Whether every pixel has its own Y, CB and CR."""
    return read_term(dataset, "PhotometricInterpretation", PHOTOMETRIC) == "YBR_FULL"


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
    if (fault := box_fault(encoded)) is not None:
        raise DicomError(f"{fault}; export the file again")
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
    # GDCM would wrap what the cell cannot hold.
    allocated = int((read_numbers(dataset, "BitsAllocated") or [8.0])[0])
    if header is not None and header.bits > allocated:
        raise DicomError(
            f"a compressed frame must fit (0028,0100) Bits Allocated of {allocated}, found "
            f"samples of {header.bits} bits; export the file again"
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


def _decode_failure(dataset: FileDataset, name: str, failure: str) -> str:
    """Return the one sentence on why a frame could not be decoded."""
    present = next((key for key in PIXEL_KEYWORDS if key in dataset), "PixelData")
    size = len(dataset.get(present) or b"")
    return (
        f"complete pixel data is required, found {size} bytes of '{name}' that do not decode "
        f"({failure}); export the file again"
    )
