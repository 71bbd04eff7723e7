"""Reads look-up tables of a data set: modality LUT, VOI LUT and color palettes.

Source: DICOM PS3.3 C.11.1.1 (LUT descriptor), C.7.6.3.1.5-6 (palettes), C.7.9.2 (segments).
Ours: not pydicom's `apply_*_lut`, which refuse 12-bit entries and wrap an index at the type's end.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from jomed_app.errors import DicomError
from jomed_app.imaging.dicom.deidentify import read_numbers
from jomed_app.imaging.grayscale import Lut, by_rows
from jomed_app.imaging.limits import MAX_PALETTE_OR_LUT


def read_lut(item: Dataset, little_endian: bool) -> Lut | None:
    """Return the LUT of one item of a modality or VOI LUT sequence, None when it is unusable."""
    shape = _descriptor(item, "LUTDescriptor")
    raw = item.get("LUTData")
    if shape is None or raw is None:
        return None
    count, first, bits = shape
    entries = _entries(raw, count, little_endian)
    return Lut(first, entries, bits) if entries is not None else None


def apply_palette(
    stored: NDArray[np.generic], dataset: Dataset, little_endian: bool
) -> NDArray[np.uint8]:
    """Map stored values to RGB through the file's palettes.

    Args:
        stored: (rows, columns) stored values.
        dataset: holds the three palettes, plain or segmented.
        little_endian: byte order of the data set.

    Returns:
        (rows, columns, 3) uint8.

    Raises:
        DicomError: if a palette is missing or damaged.
    """
    planes = []
    for color in ("Red", "Green", "Blue"):
        lut = _read_palette(dataset, color, little_endian)
        if lut is None:
            raise DicomError(
                f"a PALETTE COLOR image must hold a {color.lower()} palette that fits its "
                "descriptor, found none; export the image as RGB"
            )
        planes.append(lut)
    # Some files declare 16 bits and fill only the lower 8 (ours: told by the largest entry).
    narrow = all(int(lut.entries.max()) <= 255 for lut in planes)
    top = 255.0 if narrow else 65535.0
    rgb = np.empty((*stored.shape, 3), dtype=np.uint8)
    for channel, lut in enumerate(planes):
        rgb[:, :, channel] = by_rows(stored, partial(_to_level, lut, top), np.uint8)
    return rgb


def _to_level(lut: Lut, top: float, stored: NDArray[np.generic]) -> NDArray[np.float64]:
    levels: NDArray[np.float64] = np.rint(255.0 * np.clip(lut(stored.astype(np.int64)) / top, 0, 1))
    return levels


def _read_palette(dataset: Dataset, color: str, little_endian: bool) -> Lut | None:
    """Return one palette as a LUT whose entries span 8 or 16 bits."""
    shape = _descriptor(dataset, f"{color}PaletteColorLookupTableDescriptor")
    if shape is None:
        return None
    count, first, bits = shape
    raw = dataset.get(f"{color}PaletteColorLookupTableData")
    if raw is not None:
        entries = _entries(raw, count, little_endian)
        return Lut(first, entries, bits) if entries is not None else None
    segmented = dataset.get(f"Segmented{color}PaletteColorLookupTableData")
    if not isinstance(segmented, bytes):
        return None
    width = 1 if bits == 8 else 2
    order = "<" if little_endian else ">"
    usable = len(segmented) - len(segmented) % width
    words = np.frombuffer(segmented[:usable], dtype=f"{order}u{width}").astype(int).tolist()
    values = expand_segments(words, count, width)
    return Lut(first, np.array(values, dtype=np.int64), bits) if values else None


def expand_segments(words: list[int], count: int, width: int) -> list[int]:
    """Expand a segmented palette to at most `count` entries (discrete, linear, indirect).

    Args:
        words: opcodes, lengths and values, 8- or 16-bit.
        count: entries wanted; the expansion never grows past it.
        width: bytes per word; an indirect segment's offset takes 4 words of 1 byte or 2 of 2.

    Returns:
        The entries; fewer than `count` when the data ends early.
    """
    values: list[int] = []
    jobs = [(0, len(words), False)]  # (position, segments left, inside an indirect segment)
    budget = MAX_PALETTE_OR_LUT
    while jobs and len(values) < count and budget:
        position, left, nested = jobs.pop()
        if left <= 0 or position + 1 >= len(words):
            continue
        budget -= 1
        opcode, length = words[position], words[position + 1]
        position += 2
        if opcode == 0:
            values += words[position : position + length]
            position += length
        elif opcode == 1 and position < len(words):
            start = values[-1] if values else 0
            steps = np.linspace(start, words[position], min(length, count) + 1)[1:]
            values += np.rint(steps).astype(int).tolist()
            position += 1
        elif opcode == 2 and not nested:
            parts = 4 // width
            offset = words[position : position + parts]
            target = sum(word << (8 * width * place) for place, word in enumerate(offset))
            jobs.append((position + parts, left - 1, nested))
            jobs.append((target // width, length, True))
            continue
        else:
            break
        jobs.append((position, left - 1, nested))
    return values[:count]


def _descriptor(item: Dataset, keyword: str) -> tuple[int, int, int] | None:
    """Return (entries, first input, bits) of a LUT descriptor, None when damaged."""
    numbers = [int(number) for number in read_numbers(item, keyword)]
    if len(numbers) != 3 or not 1 <= numbers[2] <= 16:
        return None
    return (numbers[0] & 0xFFFF) or MAX_PALETTE_OR_LUT, numbers[1], numbers[2]


def _entries(raw: object, count: int, little_endian: bool) -> NDArray[np.int64] | None:
    """Return `count` entries from words (US), packed bytes or 16-bit words (OW)."""
    if isinstance(raw, bytes):
        if len(raw) >= 2 * count:
            order = "<" if little_endian else ">"
            return np.frombuffer(raw[: 2 * count], dtype=f"{order}u2").astype(np.int64)
        if len(raw) >= count:
            return np.frombuffer(raw[:count], dtype=np.uint8).astype(np.int64)
        return None
    words = np.atleast_1d(np.asarray(raw, dtype=np.int64))[:count]
    return words & 0xFFFF if len(words) == count else None
