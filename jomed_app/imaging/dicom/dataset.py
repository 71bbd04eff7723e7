"""Opens a DICOM data set and refuses what holds no picture, before a pixel is touched."""

from __future__ import annotations

import zlib
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from jomed_app.errors import DicomError
from jomed_app.imaging.dicom.deidentify import known_uid_name
from jomed_app.imaging.limits import MAX_INFLATED_BYTES

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_INFLATED_AT_ONCE = 1 << 20  # bytes, in and out
_VIDEO = ("MPEG", "HEVC", "SMPTE")


def open_dataset(data: bytes) -> FileDataset:
    """Parse a DICOM file that holds an image; a missing transfer syntax is filled in.

    Args:
        data: the whole file, with or without preamble.

    Returns:
        The data set, with pixel data still encoded.

    Raises:
        DicomError: if the bytes are no DICOM image or the transfer syntax cannot be decoded.
    """
    if data.startswith(b"DICM"):  # some writers leave out the 128 bytes in front
        data = bytes(128) + data
    _refuse_inflation(data)
    dataset, failure = None, ""
    try:
        dataset = dcmread(BytesIO(data), force=True)
        has_pixels = any(keyword in dataset for keyword in PIXEL_KEYWORDS)
        sop_class = _uid(dataset, "SOPClassUID") or _uid(
            dataset.file_meta, "MediaStorageSOPClassUID"
        )
        syntax = _fill_transfer_syntax(dataset)
    except (DicomError, MemoryError):
        raise
    except Exception as error:  # the parser may raise anything; its text may quote the file
        failure = type(error).__name__
    if failure or dataset is None:
        raise DicomError(
            f"a readable DICOM file is required, found a damaged data set ({failure}); "
            "export it again"
        )
    _refuse_without_picture(dataset, has_pixels, sop_class, syntax)
    return dataset


def is_little_endian(dataset: FileDataset) -> bool:
    """Return whether multi-byte values of the data set are stored little endian."""
    return bool(dataset.file_meta.TransferSyntaxUID != ExplicitVRBigEndian)


def _uid(dataset: FileDataset | FileMetaDataset, keyword: str) -> str:
    """Return an element's UID as text, empty when absent or damaged."""
    try:
        return str(dataset.get(keyword) or "")
    except Exception:  # a damaged value may raise anything
        return ""


def _refuse_without_picture(
    dataset: FileDataset, has_pixels: bool, sop_class: str, syntax: str
) -> None:
    """Raise when the file is a report, a plan, a video, a directory: anything but a picture."""
    if any(word in (known_uid_name(syntax) or "") for word in _VIDEO):
        raise DicomError("a still image is required, found a DICOM video; export a single frame")
    if has_pixels:
        return
    kind = known_uid_name(sop_class) if sop_class else None
    if kind is not None:
        found = f"'{kind.removesuffix(' Storage')}' without pixel data"
    elif "PatientID" in dataset or "StudyInstanceUID" in dataset or "Rows" in dataset:
        found = "a data set without pixel data"
    else:
        raise DicomError(
            "a DICOM image is required, found a file without image attributes; "
            "choose another file or export it again"
        )
    raise DicomError(f"a DICOM image is required, found {found}; choose an image file")


def _fill_transfer_syntax(dataset: FileDataset) -> str:
    """Return the transfer syntax; without one, set the native syntax that the parser saw."""
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        meta = dataset.file_meta = FileMetaDataset()
    if syntax := _uid(meta, "TransferSyntaxUID"):
        return syntax
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise DicomError(
            "(0002,0010) Transfer Syntax UID is required for compressed pixels, found none; "
            "export the file again"
        )
    implicit, little = dataset.original_encoding
    native = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta.TransferSyntaxUID = UID(ImplicitVRLittleEndian if implicit else native)
    return str(meta.TransferSyntaxUID)


def _refuse_inflation(data: bytes) -> None:
    """Raise when a deflated data set would inflate past the limit; others pass."""
    if DeflatedExplicitVRLittleEndian.encode() not in data[:65536]:
        return
    stream = BytesIO(data)
    stream.seek(132 if data[128:132] == b"DICM" else 0)
    syntax = ""
    try:
        meta = read_dataset(stream, False, True, stop_when=_after_meta)
        syntax = str(meta.get("TransferSyntaxUID", ""))
    except Exception:  # the full parse reports the damage
        return
    if syntax != DeflatedExplicitVRLittleEndian:
        return
    if _inflates_past(MAX_INFLATED_BYTES, data, stream.tell()):
        raise DicomError(
            f"a deflated data set must inflate to at most {MAX_INFLATED_BYTES // 2**20} MiB, "
            "found more; export a single image"
        )


def _inflates_past(limit: int, data: bytes, start: int) -> bool:
    """Tell whether a raw deflate stream unpacks to more than `limit` bytes, holding few of them.

    What lies behind the end of the stream, such as the NUL that PS3.5 A.5 demands behind an odd
    one, is not looked at. A damaged stream counts up to the damage, which the full parse reports.
    """
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        for position in range(start, len(data), _INFLATED_AT_ONCE):
            chunk = data[position : position + _INFLATED_AT_ONCE]
            while chunk and not inflater.eof and total <= limit:
                total += len(inflater.decompress(chunk, _INFLATED_AT_ONCE))
                chunk = inflater.unconsumed_tail
            if inflater.eof or total > limit:
                break
    except zlib.error:
        pass
    return total > limit


def _after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    """Return True at the first element behind the file meta information."""
    return tag.group != 2
