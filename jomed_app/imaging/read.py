"""Reads one image: sniffs the format by its magic bytes, decodes one frame, fixes the model input.

The model input of a gray image is, in this order, the first rule that applies:
1. the file's first window (0028,1050/1051) through its VOI LUT function;
2. the file's VOI LUT (0028,3010);
3. the samples themselves when they are 8-bit display values (PNG, JPEG, ultrasound);
4. the window from the 0.5th to the 99.5th percentile of the modality values, padding left out.
It is then inverted once if higher values mean darker, rounded to 8 bits and shown as RGB at
native size, of which the region that is read is cut (`content/region.py`). A display window chosen
by the user never changes it.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from jomed_app.errors import ImageError
from jomed_app.imaging.content.region import look_at, with_region
from jomed_app.imaging.dicom.image import decode_dicom
from jomed_app.imaging.frame import DecodedFrame
from jomed_app.imaging.grayscale import Lut, VoiFunction, as_rgb, percentile_window, to_uint8
from jomed_app.imaging.limits import MAX_FILE_BYTES
from jomed_app.imaging.quality import assess_frame
from jomed_app.imaging.raster import decode_raster
from jomed_app.types import ImageRecord, InputInfo, RegionWish, Window

FULL_RANGE = Window(center=127.5, width=255.0, name="full range")

_RASTER_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)
# A data set without preamble starts with group 0002 or 0008, in either byte order.
_BARE_DICOM = (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")


def read_image(
    source: Path | bytes, *, frame: int = 0, region: RegionWish | None = "found"
) -> ImageRecord:
    """Decode one frame of an image file to an `ImageRecord`; nothing of the file is kept.

    Args:
        source: a path, or the bytes of the file; at most 64 MiB.
        frame: which frame or page, from 0.
        region: what of the picture is read, see `content.region.with_region`.

    Returns:
        The record; its `model_input` follows the rules on top of this module.

    Raises:
        ImageError: if the file is empty, too large, of another format, damaged, or has no such
            frame or region.
        DicomError: the same for a DICOM file, and if it holds no image or needs a missing decoder.
    """
    data = load_bytes(source)
    started = time.perf_counter()
    kind = sniff(data)
    with suppress(MemoryError):  # a cause would hold the picture's parts
        decoded = decode_dicom(data, frame) if kind == "dicom" else decode_raster(data, kind, frame)
        record = _to_record(decoded, frame, hashlib.sha256(data).hexdigest())
        if region is not None:
            record = replace(record, picture=look_at(record, decoded.region))
        record = with_region(record, region)
        return replace(record, decode_ms=(time.perf_counter() - started) * 1000.0)
    raise ImageError(
        "an image must decode within the memory of its process, found one that needs more; "
        "export a smaller image"
    )


def sniff(data: bytes) -> str:
    """Return dicom, png, jpeg or tiff from the first bytes; a file name is never looked at.

    Raises:
        ImageError: if the bytes are none of these.
    """
    if data[128:132] == b"DICM":
        return "dicom"
    for magic, kind in _RASTER_MAGIC:
        if data.startswith(magic):
            return kind
    if data.startswith((b"DICM", *_BARE_DICOM)):
        return "dicom"
    raise ImageError(
        "a DICOM, PNG, JPEG or TIFF image is required, found another format; "
        "convert the file to one of these"
    )


def load_bytes(source: Path | bytes) -> bytes:
    """Return a file's bytes after the size check; messages never carry the file name.

    Raises:
        ImageError: if there is no file, or it is empty or larger than 64 MiB.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data, size = bytes(source), len(source)
    else:
        data, size, failure = b"", 0, ""
        try:
            if source.is_file():
                size = source.stat().st_size
                data = source.read_bytes() if size <= MAX_FILE_BYTES else b""
            else:
                failure = "none at the given path"
        except (OSError, ValueError) as error:  # their text quotes the file name
            failure = type(error).__name__
        if failure:
            raise ImageError(f"a readable image file is required, found {failure}; check the path")
    if size > MAX_FILE_BYTES:
        raise ImageError(
            f"a file must be at most {MAX_FILE_BYTES // 2**20} MiB, found {size / 2**20:.0f} MiB; "
            "export a single image"
        )
    if not data:
        raise ImageError("an image file is required, found an empty file; export it again")
    return data


def _to_record(decoded: DecodedFrame, frame: int, digest: str) -> ImageRecord:
    """Fix the model input, the windows and the checks of one decoded frame, all of it."""
    windows = decoded.windows
    metadata = dict(decoded.metadata)
    if decoded.modality_values is None:
        if decoded.rgb is None:
            raise ImageError("a decoded frame must hold pixels, found none; export the file again")
        model_input = decoded.rgb
        rows, columns = model_input.shape[:2]
    else:
        values = decoded.modality_values
        rows, columns = values.shape
        function, curve, windows = _default_curve(decoded)
        metadata["VOILUTFunction"] = function.value
        if values.dtype == np.uint8 and curve == FULL_RANGE and not decoded.inverted:
            model_input = as_rgb(values.view(np.uint8))  # what that window gives back
        else:
            model_input = as_rgb(to_uint8(values, curve, function, decoded.inverted))
        values.setflags(write=False)
    model_input.setflags(write=False)
    return ImageRecord(
        model_input=model_input,
        modality_values=decoded.modality_values,
        inverted=decoded.inverted,
        windows=windows,
        sha256=digest,
        info=InputInfo(
            format=decoded.format,
            modality=decoded.modality,
            rows=int(rows),
            columns=int(columns),
            photometric=decoded.photometric,
            checks=assess_frame(decoded),
        ),
        metadata=metadata,
        num_frames=decoded.num_frames,
        frame=frame,
        pixel_spacing_mm=decoded.pixel_spacing_mm,
    )


def _default_curve(
    decoded: DecodedFrame,
) -> tuple[VoiFunction, Window | Lut, tuple[Window, ...]]:
    """Return function, curve of the model input and the offered windows of a gray frame."""
    if decoded.windows:
        return decoded.voi_function, decoded.windows[0], decoded.windows
    exact = VoiFunction.LINEAR_EXACT
    if (lut := decoded.voi_lut) is not None:
        last = lut.first + max(1, len(lut.entries) - 1)
        span = Window((lut.first + last) / 2, float(last - lut.first), "file LUT range")
        return exact, lut, (span,)
    if decoded.modality_values is None or decoded.display_ready:
        return exact, FULL_RANGE, (FULL_RANGE,)
    window = percentile_window(decoded.modality_values, decoded.keep_mask)
    return exact, window, (window,)
