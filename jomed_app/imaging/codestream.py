"""Reads the frame size from a compressed frame's own header, so that it cannot lie about its cost.

Source: ITU-T T.81 B.2.2 (JPEG SOF), T.87 C.2.2 (JPEG-LS SOF55), T.800 A.5.1 (JPEG 2000 SIZ),
DICOM PS3.5 G.5 (RLE header).
"""

from __future__ import annotations

import struct

_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) that the codestream declares, None when it has no such header."""
    if frame.startswith(b"\xff\xd8"):
        return _jpeg_size(frame)
    start = 0 if frame.startswith(b"\xff\x4f\xff\x51") else frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0 and len(frame) >= start + 24:
        # SOC, SIZ, Lsiz, Rsiz, then Xsiz, Ysiz, XOsiz, YOsiz
        x_size, y_size, x_offset, y_offset = struct.unpack_from(">4I", frame, start + 8)
        return y_size - y_offset, x_size - x_offset
    return None


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


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) of the first start-of-frame marker."""
    position = 2
    while position + 9 <= len(frame):
        if frame[position] != 0xFF:
            position += 1
            continue
        marker = frame[position + 1]
        if marker in _SOF:
            rows, columns = struct.unpack_from(">2H", frame, position + 5)
            return rows, columns
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
