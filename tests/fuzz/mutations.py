"""Damage to a file: what breaks parsers, by a seeded generator."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

INTERESTING = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
LARGE = (*INTERESTING, 2**63 - 1, 2**63, 2**64 - 1)
VRS = (b"OB", b"OW", b"UN", b"SQ", b"US", b"SS", b"UL", b"FL", b"FD", b"DS", b"IS", b"CS", b"LO")
LONG_VRS = (b"OB", b"OW", b"UN", b"SQ")
# (group, element) of what sizes, shapes and colors a picture.
TAGS = (
    (0x0002, 0x0000), (0x0002, 0x0010), (0x0008, 0x0005), (0x0008, 0x0060), (0x0018, 0x6011),
    (0x0018, 0x6018), (0x0028, 0x0002), (0x0028, 0x0004), (0x0028, 0x0006), (0x0028, 0x0008),
    (0x0028, 0x0010), (0x0028, 0x0011), (0x0028, 0x0030), (0x0028, 0x0100), (0x0028, 0x0101),
    (0x0028, 0x0102), (0x0028, 0x0103), (0x0028, 0x0120), (0x0028, 0x1050), (0x0028, 0x1051),
    (0x0028, 0x1052), (0x0028, 0x1053), (0x0028, 0x1056), (0x0028, 0x1101), (0x0028, 0x1201),
    (0x0028, 0x1221), (0x0028, 0x3000), (0x0028, 0x3010), (0x2050, 0x0020), (0x5200, 0x9229),
    (0x5200, 0x9230), (0x7FE0, 0x0001), (0x7FE0, 0x0002), (0x7FE0, 0x0008), (0x7FE0, 0x0010),
)  # fmt: skip
TEXTS = (b"", b"0", b"-1", b"1e308", b"nan", b"inf", b"1\\2\\3", b"RGB ", b"MONOCHROME1",
         b"\xff" * 8, b"9" * 40, b"PALETTE COLOR ", b"YBR_FULL_422", b"1.2.840.10008.1.2.5\0",
         b"\\" * 30)  # fmt: skip


def mutate(rng: random.Random, files: Sequence[bytes]) -> bytes:
    """Return one of the files, damaged in one to four ways."""
    data = bytearray(rng.choice(files))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        damage = rng.choice(_DAMAGES)
        damage(rng, data, files)
    return bytes(data)


def _flip(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 32))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = rng.randrange(len(data) + 1)
    data[place : place + rng.randrange(1, 9)] = rng.randbytes(rng.randrange(1, 9))


def _truncate(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _drop(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = rng.randrange(len(data) + 1)
    del data[place : place + rng.choice((1, 2, 4, 16, 200))]


def _repeat(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = rng.randrange(len(data) + 1)
    data[place:place] = data[place : place + rng.choice((1, 4, 12, 64))] * rng.choice((1, 2, 50))


def _length(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Write a number that is often a limit where a length may stand."""
    form = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(form)
    place = rng.randrange(len(data) + 1)
    if rng.random() < 0.5:
        place -= place % 2
    data[place : place + size] = struct.pack(form, rng.choice(LARGE) % 2 ** (8 * size))


def _splice(rng: random.Random, data: bytearray, files: Sequence[bytes]) -> None:
    other = rng.choice(files)
    place, start = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    data[place:] = other[start:]


def _element(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Put a DICOM element of the dictionary in, or over the one that is there."""
    group, element = rng.choice(TAGS)
    order = rng.choice("<<<>")
    name = struct.pack(f"{order}HH", group, element)
    kind = rng.choice(VRS)
    number = struct.pack(f"{order}I", rng.choice(INTERESTING))
    value = rng.choice((*TEXTS, number[:2], number))
    length = rng.choice((len(value), len(value), len(value), rng.choice(INTERESTING)))
    head = kind + (b"\0\0" + struct.pack(f"{order}I", length) if kind in LONG_VRS else
                   struct.pack(f"{order}H", length & 0xFFFF))  # fmt: skip
    place = data.find(name)
    if place >= 0 and rng.random() < 0.7:
        data[place : place + len(name + head + value)] = name + head + value
    else:
        at = place if place >= 0 else rng.randrange(len(data) + 1)
        data[at:at] = name + head + value


_DAMAGES: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip, _flip, _set, _truncate, _drop, _repeat, _length, _length, _splice, _element, _element,
)  # fmt: skip
