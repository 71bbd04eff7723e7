"""What a row of the golden table is, and the rows on gray values.

Each row is a file made in memory and what must come of it: display values worked out by hand from
the standard's formulas, or the sentence that refuses it. `GRAY` and `WINDOW` make most of them:
five values of 12 bits and a window that maps 0 to 4095 onto 0 to 255.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from tests.imaging.datasets import lut_item, make_dataset, to_bytes

Display = tuple[int, ...]
GRAY = np.array([[0, 1024, 2048, 3072, 4095]], np.uint16)
WINDOW: dict[str, Any] = {"WindowCenter": "2048", "WindowWidth": "4096"}
RISING: Display = (0, 64, 128, 191, 255)
FALLING: Display = (255, 191, 127, 64, 0)


class GoldenRow(NamedTuple):
    """One file and what must come of it.

    Attributes:
        group: what the rows around it are about.
        name: what is special about the file.
        make: returns its bytes.
        expected: display values of the first row of pixels, 0 to 255, a flat list for color; or a
            regular expression that the refusal matches.
        frame: which one, from 0.
        step: every which pixel of the row `expected` names.
        why_dcmtk_differs: set where DCMTK shows something else and the app is right.
    """

    group: str
    name: str
    make: Callable[[], bytes]
    expected: Display | str
    frame: int = 0
    step: int = 1
    why_dcmtk_differs: str = ""


def gray_file(stored: Any = GRAY, bits_stored: int = 12, **attributes: Any) -> bytes:
    """Return a file of gray values with the usual window, unless told otherwise."""
    chosen = {**WINDOW, **attributes}
    kept = {key: value for key, value in chosen.items() if value is not None}
    return to_bytes(make_dataset(stored, bits_stored=bits_stored, **kept))


def row(
    group: str, name: str, expected: Display | str, *stored: Any, why: str = "", **attributes: Any
) -> GoldenRow:
    """Return a row on a file of gray values."""
    return GoldenRow(
        group, name, lambda: gray_file(*stored, **attributes), expected, why_dcmtk_differs=why
    )


NO_WINDOW: dict[str, Any] = {"WindowCenter": None, "WindowWidth": None}


def _signed(stored: int) -> np.ndarray[Any, Any]:
    """GRAY less 2048, in cells of 16 bits."""
    return (GRAY.astype(np.int32) - 2048 & (1 << stored) - 1).astype(np.uint16)


POLARITY = [
    row("polarity", "MONOCHROME2", RISING),
    row("polarity", "MONOCHROME1", FALLING, photometric="MONOCHROME1"),
    row("polarity", "MONOCHROME2, shape IDENTITY", RISING, PresentationLUTShape="IDENTITY"),
    row("polarity", "MONOCHROME2, shape INVERSE", FALLING, PresentationLUTShape="INVERSE"),
    row(
        "polarity",
        "MONOCHROME1, shape INVERSE: turned once",
        FALLING,
        photometric="MONOCHROME1",
        PresentationLUTShape="INVERSE",
    ),
    row(
        "polarity",
        "MONOCHROME1, shape IDENTITY: turned, and reported",
        FALLING,
        photometric="MONOCHROME1",
        PresentationLUTShape="IDENTITY",
        why="the file contradicts itself (PS3.3 C.8.11.3); DCMTK follows the shape, the app the "
        "photometric interpretation, and says so",
    ),
]

_FEW = np.array([[0, 1, 2, 3, 4]], np.uint16)  # where LINEAR and LINEAR_EXACT lie far apart
_FOUR: dict[str, Any] = {"WindowCenter": "2", "WindowWidth": "4"}
VOI = [
    row("window", "LINEAR by default", RISING),
    row("window", "LINEAR by name", (0, 85, 170, 255, 255), _FEW, VOILUTFunction="LINEAR", **_FOUR),
    row("window", "LINEAR_EXACT", RISING, _FEW, VOILUTFunction="LINEAR_EXACT", **_FOUR),
    row("window", "SIGMOID", (30, 69, 128, 186, 225), VOILUTFunction="SIGMOID"),
    row("window", "narrow", (0, 0, 64, 255, 255), WindowCenter="2304", WindowWidth="1025"),
    row(
        "window", "of width 1: a step", (0, 0, 255, 255, 255), WindowCenter="2048", WindowWidth="1"
    ),
    row(
        "window",
        "several: the first",
        RISING,
        WindowCenter=["2048", "100"],
        WindowWidth=["4096", "50"],
    ),
    row("window", "none, 12 bits: 0.5 to 99.5 %", (0, 63, 128, 192, 255), **NO_WINDOW),
    row(
        "window",
        "none, 8 bits: the samples themselves",
        (0, 10, 100, 200, 210),
        np.array([[0, 10, 100, 200, 210]], np.uint8),
        8,
        **NO_WINDOW,
    ),
    row("window", "of width 0: ignored, and reported", (0, 63, 128, 192, 255), WindowWidth="0"),
    row("window", "a center without a width: ignored", (0, 63, 128, 192, 255), WindowWidth=None),
    row(
        "window",
        "VOI LUT alone",
        (0, 64, 128, 191, 255),
        np.array([[0, 1, 2, 3, 4]], np.uint16),
        VOILUTSequence=lut_item(0, [0, 257, 514, 767, 1023], 10),
        **NO_WINDOW,
    ),
    row(
        "window",
        "VOI LUT and a window: the window",
        RISING,
        VOILUTSequence=lut_item(0, [7, 7, 7], 10),
    ),
    row(
        "window",
        "none, all values equal: mid-gray",
        (128, 128),
        np.full((1, 2), 7, np.uint16),
        **NO_WINDOW,
    ),
]

MODALITY = [
    row(
        "modality",
        "slope 2, intercept -1024",
        RISING,
        RescaleSlope="2",
        RescaleIntercept="-1024",
        WindowCenter="3071.5",
        WindowWidth="8191",
    ),
    row(
        "modality",
        "slope -1",
        FALLING,
        RescaleSlope="-1",
        RescaleIntercept="4095",
    ),
    row("modality", "slope 0: ignored, and reported", RISING, RescaleSlope="0"),
    row(
        "modality",
        "modality LUT",
        (0, 64, 128, 191, 255),
        np.array([[0, 1, 2, 3, 4]], np.uint16),
        ModalityLUTSequence=lut_item(0, [0, 1024, 2048, 3072, 4095], 12),
    ),
]

BITS = [
    row("bits", "8", RISING, np.array([[0, 64, 128, 191, 255]], np.uint8), 8, **NO_WINDOW),
    row("bits", "10 in 16", RISING, (GRAY // 4), 10, WindowCenter="512", WindowWidth="1024"),
    row("bits", "12 in 16", RISING),
    row("bits", "16", RISING, GRAY * 16, 16, WindowCenter="32760.5", WindowWidth="65521"),
    row(
        "bits",
        "32",
        RISING,
        GRAY.astype(np.uint32) * 65536,
        32,
        WindowCenter=str(4095 * 32768 + 0.5),
        WindowWidth=str(4095 * 65536 + 1),
    ),
    row("bits", "signed 8", (0, 64, 128, 192, 255), np.array([[-128, -64, 0, 64, 127]], np.int8), 8,
        WindowCenter="0", WindowWidth="256"),
    row("bits", "signed 12 in 16", RISING, _signed(16), PixelRepresentation=1, WindowCenter="0"),
    row("bits", "signed 12 in 16, not extended", RISING, _signed(12), PixelRepresentation=1,
        WindowCenter="0"),
    row("bits", "signed 16", RISING, _signed(16), 16, PixelRepresentation=1, WindowCenter="0"),
    row("bits", "signed 32", RISING, GRAY.astype(np.int32) - 2048, 32, WindowCenter="0"),
    row("bits", "High Bit 15 with 12 stored", RISING, GRAY << 4, HighBit=15),
    row("bits", "High Bit 13 with 12 stored", RISING, GRAY << 2, HighBit=13),
    row("bits", "High Bit 15 with 12 stored, signed", RISING, _signed(12) << 4, HighBit=15,
        PixelRepresentation=1, WindowCenter="0"),
    row("bits", "an overlay in the unused bits", RISING, GRAY | 0xA000),
    row("bits", "High Bit 0: taken as 11", RISING, HighBit=0),
    row("bits", "High Bit 7 with 12 stored", "High Bit must lie within", HighBit=7),
    row("bits", "High Bit 16 with 16 allocated", "High Bit must lie within", HighBit=16),
    row("bits", "17 stored in 16", "High Bit must lie within", BitsStored=17, HighBit=16),
]  # fmt: skip


def _group(center: str, slope: str) -> Dataset:
    """A functional group of a frame: its window and its rescale."""
    group, window, transformation = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = center, "4096"
    transformation.RescaleSlope, transformation.RescaleIntercept = slope, "0"
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = [window], [transformation]
    return group


def _enhanced() -> bytes:
    """Two frames, each with its own window and rescale."""
    return gray_file(
        np.stack([GRAY, GRAY]),
        frames=2,
        PerFrameFunctionalGroupsSequence=[_group("2048", "1"), _group("-2047", "-1")],
        **NO_WINDOW,
    )


# As many bits as there are, lowest and highest value: the window that spans them gives 0 and 255.
SPANS = [
    row(
        "bits",
        f"{bits}, lowest and highest",
        (0, 255),
        np.array([[0, 2**bits - 1]], np.uint8 if bits <= 8 else np.uint16),
        bits,
        WindowCenter=str(2 ** (bits - 1)),
        WindowWidth=str(2**bits),
    )
    for bits in range(2, 17)
]

FRAMES = [
    GoldenRow(
        "frames",
        "the second of three",
        lambda: gray_file(np.stack([GRAY, GRAY[:, ::-1], GRAY]), frames=3),
        RISING[::-1],
        frame=1,
    ),
    GoldenRow("frames", "enhanced: window and rescale per frame", _enhanced, FALLING, frame=1),
    row("frames", "a damaged number of frames counts as one", RISING, NumberOfFrames=0),
    GoldenRow(
        "frames",
        "one that does not exist",
        lambda: gray_file(np.stack([GRAY, GRAY]), frames=2),
        "the frame must be from 0 to 1, found 2",
        frame=2,
    ),
]

GRAY_ROWS = [*POLARITY, *VOI, *MODALITY, *BITS, *SPANS, *FRAMES]
