"""Compressed frames that lie: about their size, their end, their header."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from jomed_app.errors import DicomError
from jomed_app.imaging import read_image
from tests.imaging.datasets import (
    dicom_bytes,
    encapsulated_bytes,
    gradient,
    raster_bytes,
)

RAMP = gradient()
COLOR = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def test_a_compressed_frame_may_not_be_larger_than_the_limits():
    huge = bytearray(raster_bytes(Image.new("L", (8, 8)), "JPEG2000", no_jp2=True))
    huge[8:16] = (60000).to_bytes(4, "big") * 2
    data = encapsulated_bytes([bytes(huge)], JPEG2000Lossless, 8, 8)
    with pytest.raises(DicomError, match="found 60000 x 60000"):
        read_image(data)


def test_a_large_frame_may_not_come_out_of_a_few_bytes():
    blank = raster_bytes(Image.new("L", (4000, 4000)), "JPEG2000", no_jp2=True)
    data = encapsulated_bytes([blank[:2000]], JPEG2000Lossless, 4000, 4000)
    with pytest.raises(DicomError, match="must hold at least 16000 bytes"):
        read_image(data)


def test_a_jpeg_frame_without_end_mark_is_an_error():
    jpeg = raster_bytes(Image.new("L", (8, 8)), "JPEG")
    data = encapsulated_bytes([jpeg[:-2]], JPEGBaseline8Bit, 8, 8)
    with pytest.raises(DicomError, match="must end with its mark"):
        read_image(data)


def test_a_frame_may_not_contradict_its_header():
    jpeg = raster_bytes(Image.new("L", (16, 8)), "JPEG")
    with pytest.raises(DicomError, match="must hold 8 x 8 pixels, found 8 x 16"):
        read_image(encapsulated_bytes([jpeg], JPEGBaseline8Bit, 8, 8))


def test_a_panic_of_a_decoder_is_our_error(monkeypatch):
    class PanicException(BaseException):
        """Stands in for what the RLE decoder raises on some damaged files."""

    def panic(*_args, **_options):
        raise PanicException

    monkeypatch.setattr("jomed_app.imaging.dicom.pixels.pixel_array", panic)
    with pytest.raises(DicomError, match="PanicException"):
        read_image(dicom_bytes(RAMP))


def test_an_interrupt_is_not_swallowed(monkeypatch):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("jomed_app.imaging.dicom.pixels.pixel_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_image(dicom_bytes(RAMP))


def test_an_rle_frame_may_not_unpack_past_its_size():
    # 5 MiB of runs unpack to 320 MiB behind a header that promises 8 x 8 pixels.
    bomb = b"\x01\0\0\0\x40\0\0\0" + bytes(56) + b"\x81\x00" * (5 << 19)
    data = encapsulated_bytes([bomb], RLELossless, 8, 8)
    with pytest.raises(DicomError, match="RLE frame must unpack to its size"):
        read_image(data)


def test_compressed_pixels_without_a_syntax_are_refused():
    jpeg = raster_bytes(Image.new("L", (8, 8)), "JPEG")
    dataset = dcmread(BytesIO(encapsulated_bytes([jpeg], JPEGBaseline8Bit, 8, 8)))
    buffer = BytesIO()
    bare = Dataset(dataset)
    bare.save_as(buffer, implicit_vr=False, little_endian=True)
    with pytest.raises(DicomError, match="Transfer Syntax UID is required"):
        read_image(buffer.getvalue())
