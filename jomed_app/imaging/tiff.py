"""Counts the pages of a TIFF within bounds, before a library walks the chain."""

from __future__ import annotations

import struct

from jomed_app.errors import ImageError
from jomed_app.imaging.limits import MAX_TIFF_PAGES, MAX_TIFF_TAGS


def count_pages(data: bytes) -> int:
    """Return the number of page directories of a TIFF or BigTIFF.

    A chain that ends in damage or in a loop counts up to there.

    Raises:
        ImageError: if there are more pages or tags than the limits.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    count_format, offset_format = (f"{order}Q", f"{order}Q") if big else (f"{order}H", f"{order}I")
    count_size, tag_size, offset_size = (8, 20, 8) if big else (2, 12, 4)
    seen: set[int] = set()
    tags = 0
    try:
        (position,) = struct.unpack_from(offset_format, data, 8 if big else 4)
        while 0 < position < len(data) and position not in seen:
            (count,) = struct.unpack_from(count_format, data, position)
            seen.add(position)
            tags += count
            if len(seen) > MAX_TIFF_PAGES or tags > MAX_TIFF_TAGS:
                raise ImageError(
                    f"a TIFF must have at most {MAX_TIFF_PAGES} pages and {MAX_TIFF_TAGS} tags, "
                    "found more; export a single page"
                )
            end = position + count_size + count * tag_size
            if end + offset_size > len(data):
                break
            (position,) = struct.unpack_from(offset_format, data, end)
    except struct.error:
        pass  # the chain points past the end of the file: what was counted stands
    return max(1, len(seen))
