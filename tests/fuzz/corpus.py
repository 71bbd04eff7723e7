"""Minimal files of every kind that is read, built here; each carries planted identifiers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from tests.imaging.datasets import (
    encapsulated_bytes,
    gradient,
    lut_item,
    make_dataset,
    raster_bytes,
    to_bytes,
)

PLANTED = "zebraquagga"  # no message, log or record may hold it
DEFLATED = UID("1.2.840.10008.1.2.1.99")
PATIENT = {
    "PatientName": f"{PLANTED}^ONE",
    "PatientID": f"{PLANTED}-2",
    "StudyDescription": f"{PLANTED} 3",
    "InstitutionName": f"{PLANTED} 4",
    "AccessionNumber": f"{PLANTED}5",
    "ManufacturerModelName": f"{PLANTED} 6",
    "WindowCenterWidthExplanation": f"{PLANTED} 7",
    "ImageComments": f"{PLANTED} 8",
}
ENCODED = Path(__file__).parents[1] / "imaging" / "dicom" / "encoded"
SIDE = 16
RAMP = gradient(SIDE, SIDE)
WIDE = gradient(64, 64)  # as small as JPEG 2000 is written by default
GRAY = gradient(SIDE, SIDE, dtype=np.uint8, top=255)
COLOR = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def corpus() -> dict[str, bytes]:
    """Name -> file."""
    return {**_dicom(), **_compressed(), **_raster()}


def _dicom() -> dict[str, bytes]:
    window = {"WindowCenter": "2000", "WindowWidth": "3000", **PATIENT}
    files = {
        f"{photometric} {dtype}": to_bytes(
            make_dataset(gradient(SIDE, SIDE, dtype, 120), photometric=photometric, **window)
        )
        for photometric in ("MONOCHROME1", "MONOCHROME2")
        for dtype in ("u1", "i1", "u2", "i2", "u4")
    }
    lut = lut_item(0, list(range(0, 4096, 16)), 12)
    files["modality and VOI LUT"] = to_bytes(
        make_dataset(RAMP, ModalityLUTSequence=lut, VOILUTSequence=lut, **PATIENT)
    )
    files["rescaled"] = to_bytes(
        make_dataset(RAMP, RescaleSlope="2", RescaleIntercept="-5", PixelPaddingValue=0, **window)
    )
    files["frames"] = to_bytes(make_dataset(np.stack([RAMP, RAMP]), frames=2, **window))
    for photometric in ("RGB", "YBR_FULL"):
        files[photometric] = to_bytes(make_dataset(COLOR, photometric=photometric, **PATIENT))
    palette = {}
    for name in ("Red", "Green", "Blue"):
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{name}PaletteColorLookupTableData"] = bytes(range(256)) * 2
    files["palette"] = to_bytes(
        make_dataset(GRAY, photometric="PALETTE COLOR", **palette, **PATIENT)
    )
    segments = struct.pack("<6H", 0, 1, 0, 1, 255, 65535)
    for name in ("Red", "Green", "Blue"):
        del palette[f"{name}PaletteColorLookupTableData"]
        palette[f"Segmented{name}PaletteColorLookupTableData"] = segments
    files["segmented palette"] = to_bytes(
        make_dataset(GRAY, photometric="PALETTE COLOR", **palette, **PATIENT)
    )
    files["enhanced"] = to_bytes(_enhanced())
    files["ultrasound regions"] = to_bytes(_regions())
    for name, syntax in (("implicit", ImplicitVRLittleEndian), ("big", ExplicitVRBigEndian)):
        dataset = make_dataset(RAMP, **window)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = RAMP.astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        files[name] = to_bytes(dataset)
    dataset = make_dataset(RAMP, **window)
    dataset.file_meta.TransferSyntaxUID = DEFLATED
    files["deflated"] = to_bytes(dataset)
    whole = to_bytes(make_dataset(RAMP, **window))
    files["bare"] = to_bytes(make_dataset(RAMP, **window), preamble=False)
    files["no preamble"], files["no magic"] = whole[128:], whole[132:]
    return files


def _enhanced() -> Dataset:
    measures, spacing = Dataset(), Dataset()
    spacing.PixelSpacing = ["0.2", "0.3"]
    measures.PixelMeasuresSequence = Sequence([spacing])
    return make_dataset(
        np.stack([RAMP, RAMP]),
        frames=2,
        SharedFunctionalGroupsSequence=Sequence([measures]),
        PerFrameFunctionalGroupsSequence=Sequence([Dataset(), Dataset()]),
        **PATIENT,
    )


def _regions() -> Dataset:
    region = Dataset()
    for keyword, value in {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 2,
        "RegionLocationMinX0": 2,
        "RegionLocationMinY0": 2,
        "RegionLocationMaxX1": 14,
        "RegionLocationMaxY1": 14,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.01,
        "PhysicalDeltaY": 0.01,
    }.items():
        setattr(region, keyword, value)
    return make_dataset(
        GRAY, SequenceOfUltrasoundRegions=Sequence([region]), BurnedInAnnotation="YES", **PATIENT
    )


def _compressed() -> dict[str, bytes]:
    files = {path.stem: path.read_bytes() for path in sorted(ENCODED.glob("*.dcm"))}
    for name, syntax in (
        ("rle", RLELossless),
        ("jpeg-ls", JPEGLSLossless),
        ("jpeg 2000", JPEG2000Lossless),
    ):
        dataset = make_dataset(np.stack([WIDE, WIDE]), frames=2, bits_stored=12, **PATIENT)
        dataset.compress(syntax, generate_instance_uid=False)
        files[name] = to_bytes(dataset)
    jpeg = raster_bytes(Image.fromarray(GRAY), "JPEG")
    boxes = raster_bytes(Image.fromarray(GRAY), "JPEG2000")
    files["jpeg"] = encapsulated_bytes([jpeg], JPEGBaseline8Bit, SIDE, SIDE, **PATIENT)
    files["jp2 boxes"] = encapsulated_bytes([boxes], JPEG2000Lossless, SIDE, SIDE, **PATIENT)
    return files


def _raster() -> dict[str, bytes]:
    gray, color = Image.fromarray(GRAY), Image.fromarray(COLOR)
    deep = Image.fromarray(RAMP)
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", PLANTED)
    info.add_text("Comment", PLANTED, zip=True)
    info.add_itxt("Author", PLANTED)
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = PLANTED, 6
    files = {
        "png": raster_bytes(gray, "PNG", pnginfo=info, exif=exif),
        "png 16": raster_bytes(deep, "PNG", pnginfo=info),
        "png 1": raster_bytes(gray.convert("1"), "PNG"),
        "png color": raster_bytes(color, "PNG", pnginfo=info, icc_profile=b"x" * 200),
        "png alpha": raster_bytes(color.convert("RGBA"), "PNG", pnginfo=info),
        "png palette": raster_bytes(color.convert("P"), "PNG", transparency=3),
        "jpeg gray": raster_bytes(gray, "JPEG", exif=exif, comment=PLANTED),
        "jpeg color": raster_bytes(color, "JPEG", exif=exif),
        "jpeg progressive": raster_bytes(color, "JPEG", progressive=True, comment=PLANTED),
        "jpeg cmyk": raster_bytes(color.convert("CMYK"), "JPEG"),
        "tiff float": raster_bytes(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
        "tiff 16": raster_bytes(deep, "TIFF", description=PLANTED),
        "tiff pages": raster_bytes(gray, "TIFF", save_all=True, append_images=[gray, deep]),
        "tiff big": raster_bytes(gray, "TIFF", big_tiff=True, artist=PLANTED),
        "tiff bilevel": raster_bytes(gray.convert("1"), "TIFF", compression="group4"),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"tiff {compression}"] = raster_bytes(
            color, "TIFF", compression=compression, description=PLANTED
        )
    return files


def large_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield (name, small file) of the largest images that are read, which take seconds."""
    yield "png of 64 million pixels", _png(8000, 8000, _zeros(8000 * 8001))
    yield "png of 64 million colors", _png(8000, 8000, _zeros(8000 * 24001), color=2)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield (name, small file) of what asks for much, or is two things at once."""
    hundred = 10_000  # px a side: 100 million pixels
    flat = zlib.compress(bytes(1 << 20), 9)
    meta = to_bytes(_deflated())
    start = 144 + struct.unpack_from("<I", meta, 140)[0]
    large = make_dataset(GRAY, **PATIENT)
    large.Rows = large.Columns = hundred
    opens = struct.pack(
        "<HH2sHIHHI", 0x5200, 0x9229, b"SQ", 0, 2**32 - 1, 0xFFFE, 0xE000, 2**32 - 1
    )
    groups = [Dataset() for _ in range(300)]
    runs = b"\x01\0\0\0\x40\0\0\0" + bytes(56) + b"\x81\x00" * (5 << 18)
    tiny = bytearray(raster_bytes(Image.new("L", (8, 8)), "JPEG2000", no_jp2=True))
    tiny[8:16] = (60000).to_bytes(4, "big") * 2
    jpeg = raster_bytes(Image.fromarray(GRAY), "JPEG")
    frame = jpeg.index(b"\xff\xc0")
    wide = jpeg[: frame + 5] + b"\xff\xdc\xff\xdc" + jpeg[frame + 9 :]
    dicom = to_bytes(make_dataset(GRAY, **PATIENT))
    png, tiff = (raster_bytes(Image.fromarray(GRAY), kind) for kind in ("PNG", "TIFF"))
    claims = _png(hundred, hundred, zlib.compress(bytes(100), 9))
    yield from {
        "png of 100 million pixels": _png(hundred, hundred, _zeros(20 << 20)),
        "png that claims 100 million": claims,
        "png text": _png(8, 8, zlib.compress(bytes(72)), text=b"Title\0\0" + _zeros(100 << 20)),
        "png profile": _png(8, 8, zlib.compress(bytes(72)), profile=b"x\0\0" + _zeros(100 << 20)),
        "tiff of 100 million pixels": _tiff(hundred, hundred, flat),
        "tiff strip that inflates": _tiff(16, 16, _zeros(100 << 20)),
        "tiff loop": b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 8),
        "dicom of 100 million pixels": to_bytes(large),
        "deflated to 300 MiB": meta[:start] + _zeros(300 << 20, -zlib.MAX_WBITS),
        "sequences in sequences": to_bytes(make_dataset(GRAY)) + opens * 20_000,
        "many groups": to_bytes(
            make_dataset(GRAY, PerFrameFunctionalGroupsSequence=Sequence(groups))
        ),
        "rle runs": encapsulated_bytes([runs], RLELossless, 8, 8),
        "jpeg 2000 of 3600 million": encapsulated_bytes([bytes(tiny)], JPEG2000Lossless, 8, 8),
        "jpeg of 4295 million": wide,
        "jpeg of many scans": jpeg[:-2] + b"\xff\xda\x00\x02" * 2000 + b"\xff\xd9",
        "png in a dicom preamble": png[:128].ljust(128, b"\0") + dicom[128:],
        "tiff in a dicom preamble": (b"II*\0" + struct.pack("<I", len(dicom))).ljust(128, b"\0")
        + dicom[128:]
        + tiff[8:],
        "png, then dicom": png + dicom,
        "jpeg, then zip": jpeg + b"PK\x03\x04" + bytes(200),
        "pdf, then dicom": b"%PDF-1.7\n".ljust(128, b" ") + dicom[128:],
    }.items()


def _deflated() -> Dataset:
    dataset = make_dataset(RAMP)
    dataset.file_meta.TransferSyntaxUID = DEFLATED
    return dataset


def _zeros(count: int, bits: int = zlib.MAX_WBITS) -> bytes:
    """Return so many compressed zeros, written piece by piece."""
    deflater, piece = zlib.compressobj(9, zlib.DEFLATED, bits), bytes(1 << 20)
    parts = [deflater.compress(piece) for _ in range(count >> 20)]
    return b"".join([*parts, deflater.compress(bytes(count % (1 << 20))), deflater.flush()])


def _png(
    rows: int, columns: int, data: bytes, color: int = 0, text: bytes = b"", profile: bytes = b""
) -> bytes:
    """Return a PNG whose parts are given as they are."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checked = name + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    parts = [chunk(b"IHDR", struct.pack(">2I5B", columns, rows, 8, color, 0, 0, 0))]
    parts += [chunk(b"iCCP", profile)] if profile else []
    parts += [chunk(b"zTXt", text)] if text else []
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", data), chunk(b"IEND", b"")])


def _tiff(rows: int, columns: int, strip: bytes) -> bytes:
    """Return a deflated 8-bit TIFF of one strip."""
    tags = [(256, 4, columns), (257, 4, rows), (258, 3, 8), (259, 3, 8), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 4, rows), (279, 4, len(strip))]
    buffer = BytesIO(b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip)
    buffer.seek(0, 2)
    buffer.write(struct.pack("<H", len(tags)))
    for tag, kind, value in tags:
        buffer.write(struct.pack("<HHII", tag, kind, 1, value))
    buffer.write(bytes(4))
    return buffer.getvalue()
