"""Files that once kept a decoder busy for ever; the time limit is what fails without the guard."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import UID, JPEG2000Lossless

from jomed_app.errors import DicomError
from jomed_app.imaging import read_image
from jomed_app.imaging.dicom import dataset as dataset_module
from tests.imaging.datasets import encapsulated_bytes, make_dataset, raster_bytes, to_bytes

DEFLATED = UID("1.2.840.10008.1.2.1.99")
SIGNATURE = struct.pack(">I4s4s", 12, b"jP  ", b"\r\n\x87\n")


def deflated_with_odd_stream():
    """A valid deflated file past 1 MiB whose stream is odd, so that A.5 demands a NUL behind it."""
    rng = np.random.default_rng(0)
    for columns in range(1200, 1300, 2):
        stored = rng.integers(0, 64, (1200, columns), dtype=np.uint8)
        dataset = make_dataset(stored)
        dataset.file_meta.TransferSyntaxUID = DEFLATED
        data = to_bytes(dataset)
        (meta_length,) = struct.unpack_from("<I", data, 140)  # (0002,0000)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflater.decompress(data[144 + meta_length :])
        if inflater.unused_data == b"\0":
            return stored, data
    raise AssertionError("one of fifty streams must be odd")


@pytest.mark.timeout(20)
def test_the_pad_behind_a_deflated_stream_is_not_waited_on():
    stored, data = deflated_with_odd_stream()
    np.testing.assert_array_equal(read_image(data).modality_values, stored)


@pytest.mark.timeout(20)
def test_bytes_behind_a_deflated_stream_are_not_waited_on(monkeypatch):
    _, data = deflated_with_odd_stream()
    monkeypatch.setattr(dataset_module, "MAX_INFLATED_BYTES", 2**20)
    with pytest.raises(DicomError, match="inflate to at most 1 MiB"):
        read_image(data + bytes(4 << 20))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("length", [0, 1, 7])
def test_a_box_that_is_shorter_than_its_head_is_refused(length):
    whole = raster_bytes(Image.new("L", (8, 8)), "JPEG2000")
    assert whole.startswith(SIGNATURE)
    stuck = SIGNATURE + struct.pack(">I4s", length, b"ftyp") + whole[20:]
    with pytest.raises(DicomError, match="JP2 box must hold at least its 8-byte head"):
        read_image(encapsulated_bytes([stuck], JPEG2000Lossless, 8, 8))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("rest", [bytes(4), bytes(7), b"\0"])
def test_a_box_that_is_cut_off_in_its_head_is_refused(rest):
    stuck = SIGNATURE + struct.pack(">I4s", 8, b"free") + rest
    with pytest.raises(DicomError, match="JP2 box must hold at least its 8-byte head"):
        read_image(encapsulated_bytes([stuck], JPEG2000Lossless, 8, 8))


@pytest.mark.timeout(20)
def test_many_boxes_are_refused():
    stuck = SIGNATURE + struct.pack(">I4s", 8, b"free") * 200_000
    with pytest.raises(DicomError, match="at most 64 JP2 boxes"):
        read_image(encapsulated_bytes([stuck], JPEG2000Lossless, 8, 8))


def test_a_frame_with_boxes_is_read():
    picture = np.random.default_rng(3).integers(0, 256, (8, 8), dtype=np.uint8)
    whole = raster_bytes(Image.fromarray(picture), "JPEG2000", irreversible=False)
    place = whole.index(b"jp2c")
    to_the_end = whole[: place - 4] + bytes(4) + whole[place:]  # a length of 0: up to the end
    for frame in (whole, to_the_end):
        record = read_image(encapsulated_bytes([frame], JPEG2000Lossless, 8, 8))
        np.testing.assert_array_equal(record.modality_values, picture)
