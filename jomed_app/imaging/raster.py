"""Decodes PNG, JPEG and TIFF through Pillow, which is given one format and no file name."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from jomed_app.errors import ImageError
from jomed_app.imaging.codestream import read_codestream_header
from jomed_app.imaging.frame import DecodedFrame
from jomed_app.imaging.grayscale import is_gray, row_blocks, to_finite_values
from jomed_app.imaging.limits import MAX_PIXELS, MAX_SCANS, MAX_SIDE_PX
from jomed_app.imaging.quiet import quiet_decoding
from jomed_app.imaging.tiff import count_pages
from jomed_app.types import Check, GrayValues

_DEEP_GRAY = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_COLOR = ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "LA", "La", "CMYK", "YCbCr", "LAB", "HSV")
_WHITE_IS_ZERO = 0  # TIFF PhotometricInterpretation (262)
_PHOTOMETRIC_TAG = 262
_ORIENTATION_TAG = 0x0112


def decode_raster(data: bytes, kind: str, frame: int) -> DecodedFrame:
    """Decode one frame of a PNG, JPEG or TIFF.

    Gray stays gray with its depth (8, 16, 32 bit, float); an image in color whose channels are
    equal is gray; transparency is laid on black; a camera's orientation tag is applied.

    Args:
        data: the whole file.
        kind: png, jpeg or tiff, from its magic bytes.
        frame: from 0; only a TIFF has more than one.

    Returns:
        Modality values (the samples) for gray, RGB for color.

    Raises:
        ImageError: if the file is damaged, too large or has no such frame.
    """
    num_frames = count_pages(data) if kind == "tiff" else 1
    if not 0 <= frame < num_frames:
        raise ImageError(
            f"the frame must be from 0 to {num_frames - 1}, found {frame}; choose another frame"
        )
    header = read_codestream_header(data) if kind == "jpeg" else None
    if header is not None and header.scans > MAX_SCANS:
        raise ImageError(
            f"a JPEG must have at most {MAX_SCANS} scans, found {header.scans}; export it again"
        )
    decoded, failure = None, ""
    with quiet_decoding():
        try:
            with Image.open(BytesIO(data), formats=(kind.upper(),)) as image:
                if kind == "tiff":
                    image.seek(frame)
                _check_size(image.size)
                decoded = _decode(image, kind, num_frames)
        except (ImageError, MemoryError):
            raise
        except Exception as error:  # a decoder may raise anything; its text may quote the file
            failure = type(error).__name__
    if failure == "DecompressionBombError":
        raise ImageError(
            f"an image must have at most {MAX_PIXELS // 10**6} million pixels, found more; "
            "export a smaller image"
        )
    if decoded is None:
        raise ImageError(
            f"a complete {kind.upper()} file is required, found one that does not decode "
            f"({failure}); export it again"
        )
    return decoded


def _check_size(size: tuple[int, int]) -> None:
    """Raise when the header's size is past the limits."""
    columns, rows = size
    if rows * columns > MAX_PIXELS or max(size) > MAX_SIDE_PX or min(size) < 1:
        raise ImageError(
            f"an image must have at most {MAX_PIXELS // 10**6} million pixels and {MAX_SIDE_PX} a "
            f"side, found {rows} x {columns}; export a smaller image"
        )


def _decode(image: Image.Image, kind: str, num_frames: int) -> DecodedFrame:
    """Decode an opened image whose size was checked."""
    mode = image.mode
    inverted = False
    if kind == "tiff" and mode in _DEEP_GRAY:  # Pillow turns over only the shallow modes
        tags: dict[int, object] = getattr(image, "tag_v2", {})
        inverted = tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO
    turned = image.getexif().get(_ORIENTATION_TAG, 1) in range(2, 9)
    upright = ImageOps.exif_transpose(image) if turned else image
    checks: list[Check] = []
    if turned:
        message = "The camera's orientation tag was applied."
        checks.append(Check(name="orientation", passed=True, message=message))
    values: GrayValues | None = None
    rgb: NDArray[np.uint8] | None = None
    bits = 8
    if mode in _DEEP_GRAY:
        samples = _to_array(upright, mode)
        values, mended = to_finite_values(samples)
        bits = 8 * samples.dtype.itemsize
        if mended:
            checks.append(
                Check(name="finite", passed=False, message="Some pixels were not finite numbers.")
            )
    elif mode in ("1", "L"):
        values = _to_array(upright, "L")
        bits = 1 if mode == "1" else 8
    elif mode in _COLOR:
        rgb, transparent = _to_rgb(upright)
        if transparent:
            message = "Transparent pixels were laid on black."
            checks.append(Check(name="transparency", passed=False, message=message))
        if is_gray(rgb):
            values, rgb = np.ascontiguousarray(rgb[:, :, 0]), None
    else:
        raise ImageError(
            "an image must be gray, RGB, palette or CMYK, found another pixel type; "
            "export it as 8- or 16-bit PNG"
        )
    columns, rows = upright.size
    return DecodedFrame(
        format=kind,
        photometric=mode,
        modality_values=values,
        rgb=rgb,
        inverted=inverted,
        bits_stored=bits,
        display_ready=mode not in _DEEP_GRAY,
        metadata={"Rows": str(rows), "Columns": str(columns), "BitsStored": str(bits)},
        num_frames=num_frames,
        checks=tuple(checks),
    )


def _to_rgb(image: Image.Image) -> tuple[NDArray[np.uint8], bool]:
    """Return (rows, columns, 3) uint8, transparency laid on black, and whether there was any."""
    if image.mode not in ("RGBA", "RGBa", "LA", "La", "PA") and "transparency" not in image.info:
        return _to_array(image, "RGB"), False
    columns, rows = image.size
    rgb, transparent = np.empty((rows, columns, 3), np.uint8), False
    for place, rgba in _blocks(image, "RGBA"):
        alpha = rgba[:, :, 3:].astype(np.uint16)
        rgb[place] = (rgba[:, :, :3] * alpha + 127) // 255
        transparent = transparent or bool((alpha < 255).any())
    return rgb, transparent


def _to_array(image: Image.Image, mode: str) -> NDArray[Any]:
    """Return the samples of an image in a mode; Pillow's own way holds them three times."""
    columns, rows = image.size
    samples: NDArray[Any] | None = None
    for place, block in _blocks(image, mode):
        if samples is None:
            samples = np.empty((rows, columns, *block.shape[2:]), block.dtype)
        samples[place] = block
    assert samples is not None, "an image has rows"
    return samples


def _blocks(image: Image.Image, mode: str) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield blocks of rows in a mode, and where each lies."""
    columns, rows = image.size
    for place in row_blocks((rows, columns)):
        block = image.crop((0, place.start, columns, place.stop))
        yield place, np.asarray(block if block.mode == mode else block.convert(mode))
