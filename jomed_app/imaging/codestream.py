"""Reads a compressed frame's own header, so that a small file cannot hide a large cost.

Source: ITU-T T.81 B.2.2 (JPEG SOF), T.87 C.2.2 (JPEG-LS SOF55), T.800 A.5.1 (JPEG 2000 SIZ),
DICOM PS3.5 G.5 (RLE header).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_J2K_START = b"\xff\x4f\xff\x51"
_SCAN = b"\xff\xda"  # cannot occur inside entropy-coded data


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """What a codestream declares: size in px, components per pixel, scans (1 for JPEG 2000)."""

    rows: int
    columns: int
    components: int
    scans: int = 1


def read_codestream_header(frame: bytes) -> CodestreamHeader | None:
    """Return what a JPEG, JPEG-LS or JPEG 2000 frame declares, None without such a header."""
    if frame.startswith(b"\xff\xd8"):
        return _jpeg_header(frame)
    start = frame.find(_J2K_START, 0, 4096)  # a JP2 file has boxes in front
    if start < 0 or len(frame) < start + 42:
        return None
    # Behind SOC, SIZ, Lsiz and Rsiz: Xsiz, Ysiz, XOsiz, YOsiz, four tile figures, Csiz
    x_size, y_size, x_offset, y_offset, *_, components = struct.unpack_from(
        ">8IH", frame, start + 8
    )
    return CodestreamHeader(y_size - y_offset, x_size - x_offset, components)


def rle_expansion(frame: bytes, limit: int) -> int:
    """Return the bytes that an RLE frame unpacks to, counting no further than past `limit`."""
    total, position, end = 0, 64, len(frame)
    while position < end and total <= limit:
        control = frame[position]
        if control < 128:
            total += control + 1
            position += control + 2
        elif control > 128:
            total += 257 - control
            position += 2
        else:
            position += 1
    return total


def _jpeg_header(frame: bytes) -> CodestreamHeader | None:
    """Return what the first start-of-frame marker declares."""
    position = 2
    while position + 10 <= len(frame):
        if frame[position] != 0xFF:
            position += 1
            continue
        marker = frame[position + 1]
        if marker in _SOF:
            rows, columns, components = struct.unpack_from(">2HB", frame, position + 5)
            return CodestreamHeader(rows, columns, components, frame.count(_SCAN))
        if marker == 0xFF:
            position += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 2
        elif marker in (0xD9, 0xDA):
            return None
        else:
            (length,) = struct.unpack_from(">H", frame, position + 2)
            position += 2 + max(length, 2)
    return None
