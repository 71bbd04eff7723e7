"""Reads a compressed frame's own header, so that a small file cannot hide a large cost.

Source: ITU-T T.81 B.2.2 (JPEG SOF), T.87 C.2.2 (JPEG-LS SOF55), T.800 A.5.1 (JPEG 2000 SIZ),
T.800 I.4 (JP2 boxes), DICOM PS3.5 G.5 (RLE header).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_SEGMENTS = frozenset(range(0xC0, 0xFF)) - frozenset(range(0xD0, 0xDA))  # markers with a length
_J2K_START = b"\xff\x4f\xff\x51"
_JP2_SIGNATURE = b"\0\0\0\x0cjP  "
_MAX_BOXES = 64  # ours; writers put about 5 in front of the codestream
_SCAN = b"\xff\xda"  # cannot occur inside entropy-coded data


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """What a codestream declares.

    Attributes:
        rows: in px.
        columns: in px.
        components: per pixel.
        scans: 1 for JPEG 2000.
        bits: of a sample, 2 to 16; 0 for JPEG 2000, whose decoder takes any.
    """

    rows: int
    columns: int
    components: int
    scans: int = 1
    bits: int = 0


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


def box_fault(frame: bytes) -> str | None:
    """Return what is wrong with the boxes in front of a JPEG 2000 codestream, None for nothing.

    A reader that adds up box lengths never gets past one of 0; such a length may only stand in the
    last box, which runs up to the end (T.800 I.4).
    """
    position = 12 if frame.startswith(_JP2_SIGNATURE) else len(frame)
    for _ in range(_MAX_BOXES):
        length, kind = frame[position : position + 4], frame[position + 4 : position + 8]
        if position >= len(frame) or kind == b"jp2c":
            return None
        size = min(int.from_bytes(length, "big"), len(frame) - position)
        if size < 8:
            return f"a JP2 box must hold at least its 8-byte head, found {size} bytes"
        position += int.from_bytes(length, "big")
    return f"a frame must have at most {_MAX_BOXES} JP2 boxes before its codestream, found more"


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
            bits, rows, columns, components = struct.unpack_from(">B2HB", frame, position + 4)
            return CodestreamHeader(rows, columns, components, frame.count(_SCAN), bits)
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


def bare_jpeg(frame: bytes) -> bytes:
    """Return a JPEG frame without application and comment segments, the scans as they are.

    Raises:
        ValueError: if anything but whole segments stands between the start and the first scan.
    """
    kept, position = [frame[:2]], 2
    while frame[position : position + 2] != _SCAN:
        if frame[position : position + 2] == b"\xff\xff":  # fill
            position += 1
            continue
        marker, length = frame[position : position + 2], frame[position + 2 : position + 4]
        end = position + 2 + int.from_bytes(length, "big")
        is_segment = marker[:1] == b"\xff" and marker[-1] in _SEGMENTS
        if not is_segment or end < position + 4:
            raise ValueError("a frame must consist of whole segments up to its first scan")
        if end > len(frame):
            raise ValueError("a frame must hold its whole segments")
        if not (0xE0 <= marker[-1] <= 0xEF or marker[-1] == 0xFE):
            kept.append(frame[position:end])
        position = end
    return b"".join([*kept, frame[position:]])
