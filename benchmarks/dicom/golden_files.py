"""Rows of the golden table on color, encodings, what stands around the pixels, and damage."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks.dicom.golden import GRAY, RISING, WINDOW, Display, GoldenRow, gray_file, row
from tests.imaging.datasets import make_dataset, to_bytes

COLOR = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 30]]], np.uint8)
FLAT: Display = (255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 30)
# The same colors as YBR_FULL, PS3.3 C.7.6.3.1.2, rounded, and what rounding leaves of them.
YBR = np.array([[[76, 85, 255], [150, 44, 21], [29, 255, 107], [124, 75, 47]]], np.uint8)
BACK: Display = (254, 0, 0, 0, 255, 1, 0, 0, 254, 10, 200, 30)
_STEP = 8  # encoders need some room
_LARGE = np.kron(GRAY, np.ones((32, _STEP), np.uint16))
_TRUNCATES = "DCMTK 3.6.7 cuts off what YBR to RGB leaves behind the point; the app rounds"


def _as_syntax(syntax: UID, dataset: Dataset) -> bytes:
    """Write a data set in another transfer syntax, compressed where that one is."""
    if syntax.is_compressed and syntax.is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    return to_bytes(dataset)


def _encoded(syntax: UID) -> GoldenRow:
    return GoldenRow(
        "encoding",
        syntax.name.split(",")[0],
        lambda: _as_syntax(syntax, make_dataset(_LARGE, bits_stored=12, **WINDOW)),
        RISING,
        step=_STEP,
    )


def _color(stored: Any = COLOR, photometric: str = "RGB", **attributes: Any) -> bytes:
    return to_bytes(make_dataset(stored, photometric=photometric, **attributes))


def _planar() -> bytes:
    dataset = make_dataset(COLOR, photometric="RGB")
    dataset.PlanarConfiguration, dataset.PixelData = 1, COLOR.transpose(2, 0, 1).tobytes()
    return to_bytes(dataset)


def _deep_ybr(bits: int) -> bytes:
    """The colors as YBR_FULL of more than 8 bits, PS3.3 C.7.6.3.1.2, rounded."""
    weights = np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    top, middle = 2**bits - 1, 2 ** (bits - 1)
    exact = COLOR / 255 @ weights.T * top + (0, middle, middle)
    stored = np.clip(np.rint(exact), 0, top).astype(np.uint16)
    return to_bytes(make_dataset(stored, photometric="YBR_FULL", bits_stored=bits))


def _subsampled() -> bytes:
    """Two pixels share their chroma: Y Y Cb Cr."""
    dataset = make_dataset(YBR, photometric="YBR_FULL_422")
    dataset.PixelData = bytes([76, 76, 85, 255, 29, 29, 255, 107])
    return to_bytes(dataset)


def _palettes(top: int, bits: int, first: int = 0) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for place, color in enumerate(("Red", "Green", "Blue")):
        entries = COLOR[0, :, place].astype("<u2") * (top // 255)
        attributes[f"{color}PaletteColorLookupTableDescriptor"] = [4, first, bits]
        attributes[f"{color}PaletteColorLookupTableData"] = entries.tobytes()
    return attributes


def _segmented() -> dict[str, Any]:
    """Palettes of one discrete segment each."""
    attributes: dict[str, Any] = {}
    for place, color in enumerate(("Red", "Green", "Blue")):
        words = np.array([0, 4, *(COLOR[0, :, place].astype(int) * 257)], "<u2")
        attributes[f"{color}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        attributes[f"Segmented{color}PaletteColorLookupTableData"] = words.tobytes()
    return attributes


_INDEX = np.array([[0, 1, 2, 3]], np.uint8)
COLOR_ROWS = [
    GoldenRow("color", "RGB", _color, FLAT),
    GoldenRow("color", "RGB, planar", _planar, FLAT),
    GoldenRow("color", "RGB of 16 bits", lambda: _color(COLOR.astype(np.uint16) * 257), FLAT),
    GoldenRow(
        "color", "YBR_FULL", lambda: _color(YBR, "YBR_FULL"), BACK, why_dcmtk_differs=_TRUNCATES
    ),
    *(
        GoldenRow("color", f"YBR_FULL of {bits} bits", partial(_deep_ybr, bits), FLAT)
        for bits in (10, 12, 16)
    ),
    GoldenRow(
        "color",
        "YBR_FULL_422, uncompressed",
        _subsampled,
        (254, 0, 0, 254, 0, 0, 0, 0, 254, 0, 0, 254),
    ),
    GoldenRow(
        "color",
        "palette of 16 bits",
        lambda: _color(_INDEX, "PALETTE COLOR", **_palettes(65535, 16)),
        FLAT,
    ),
    GoldenRow(
        "color",
        "palette of 8 bits in words of 16",
        lambda: _color(_INDEX, "PALETTE COLOR", **_palettes(255, 8)),
        FLAT,
    ),
    GoldenRow(
        "color",
        "palette that starts at 1",
        lambda: _color(_INDEX + 1, "PALETTE COLOR", **_palettes(65535, 16, first=1)),
        FLAT,
    ),
    GoldenRow(
        "color",
        "segmented palette",
        lambda: _color(_INDEX, "PALETTE COLOR", **_segmented()),
        FLAT,
    ),
    GoldenRow(
        "color",
        "palette that is missing",
        lambda: _color(_INDEX, "PALETTE COLOR"),
        "must hold a red palette",
    ),
    GoldenRow("color", "CMYK", lambda: _color(COLOR, "CMYK"), "must be MONOCHROME1, .* 'CMYK'"),
    GoldenRow(
        "color",
        "RGB of one sample",
        lambda: gray_file(photometric="RGB"),
        "Samples per Pixel must fit 'RGB', found 1",
    ),
]

ENCODING_ROWS = [
    _encoded(syntax)
    for syntax in (
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    )
]


def _without(*keywords: str, **attributes: Any) -> bytes:
    dataset = make_dataset(GRAY, bits_stored=12, **WINDOW, **attributes)
    for keyword in keywords:
        delattr(dataset, keyword)
    return to_bytes(dataset)


def _encapsulated(frame: bytes, syntax: str) -> bytes:
    dataset = make_dataset(np.zeros((8, 8), np.uint8))
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    return to_bytes(dataset)


def _float_pixels() -> bytes:
    dataset = make_dataset(GRAY, **WINDOW)
    del dataset.PixelData
    dataset.FloatPixelData = GRAY.astype("<f4").tobytes()
    dataset.BitsAllocated = 32
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, keyword)
    return to_bytes(dataset)


def _one_bit() -> bytes:
    dataset = make_dataset(np.zeros((8, 8), np.uint8))
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit, dataset.PixelData = 0, bytes([0b00001010] * 8)
    return to_bytes(dataset)


def _region() -> Dataset:
    """An ultrasound region as large as the picture."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 4, 0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    return region


def _damage(name: str, make: Callable[[], bytes], expected: Display | str) -> GoldenRow:
    return GoldenRow("around the pixels", name, make, expected)


AROUND_ROWS = [
    row("around the pixels", "ultrasound region as large as the picture", RISING,
        SequenceOfUltrasoundRegions=[_region()], Modality="US"),
    row("around the pixels", "padding, left out of the percentiles", (0, 0, 128, 255, 255),
        np.array([[0, 1000, 1500, 2000, 4095]], np.uint16), PixelPaddingValue=0,
        PixelPaddingRangeLimit=None, WindowCenter="1500", WindowWidth="1001"),
    _damage("float pixels", _float_pixels, RISING),
    _damage("one bit a pixel", _one_bit, (0, 255, 0, 255, 0, 0, 0, 0)),
    _damage("no preamble", lambda: gray_file()[128:], RISING),
    _damage("neither preamble nor mark", lambda: gray_file()[132:], RISING),
    _damage("no meta information", lambda: to_bytes(
        make_dataset(GRAY, bits_stored=12, **WINDOW), preamble=False), RISING),
    _damage("no Rows", lambda: _without("Rows"), "Rows must be from 1"),
    _damage("no Columns", lambda: _without("Columns"), "Columns must be from 1"),
    _damage("no Photometric Interpretation", lambda: _without("PhotometricInterpretation"),
            "must be a standard term"),
    _damage("no Bits Stored", lambda: _without("BitsStored"), "High Bit must lie within"),
    _damage("no High Bit: taken as 11", lambda: _without("HighBit"), RISING),
    _damage("no Pixel Representation", lambda: _without("PixelRepresentation"),
            "Pixel Representation is required"),
    _damage("no Samples per Pixel", lambda: _without("SamplesPerPixel"),
            "Samples per Pixel is required"),
    _damage("no pixels", lambda: _without("PixelData"), "without pixel data"),
    _damage("more Rows than pixels", lambda: gray_file(Rows=4), "complete pixel data is required"),
    _damage("pixels cut off", lambda: gray_file()[:-4], "is required"),
    _damage("header cut off", lambda: gray_file()[:200], "is required"),
    _damage("65,535 columns", lambda: gray_file(Columns=65535), "Columns must be from 1"),
    _damage("a frame of garbage", lambda: _encapsulated(
        b"\xff\xd8" + bytes(40) + b"\xff\xd9", "1.2.840.10008.1.2.4.70"), "complete pixel data"),
    _damage("a syntax without a decoder", lambda: _encapsulated(
        b"1234", "1.2.840.10008.1.2.4.94"), "with a known decoder"),
    _damage("a video", lambda: _encapsulated(b"1234", "1.2.840.10008.1.2.4.102"), "DICOM video"),
]  # fmt: skip

FILE_ROWS = [*COLOR_ROWS, *ENCODING_ROWS, *AROUND_ROWS]
