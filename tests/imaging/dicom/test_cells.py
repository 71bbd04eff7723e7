"""Samples that lie anywhere in their cells; hand values of PS3.5 8.1.1."""

import numpy as np
import pytest

from jomed_app.errors import DicomError
from jomed_app.imaging import read_image
from tests.imaging.datasets import dicom_bytes, make_dataset, to_bytes
from tests.imaging.dicom.encoded.make_files import HERE

VALUES = np.array([[0, 1, 100, 2047], [2048, 3000, 4094, 4095]])


def read_cells(cells, stored, high, signed=False, syntax=None):
    dataset = make_dataset(cells.astype(np.uint16), bits_stored=stored)
    dataset.HighBit, dataset.PixelRepresentation = high, int(signed)
    if syntax is not None:
        dataset.compress(syntax, generate_instance_uid=False)
    return read_image(to_bytes(dataset)).modality_values


@pytest.mark.parametrize("high", [11, 12, 13, 14, 15])
def test_12_bits_are_found_wherever_high_bit_puts_them(high):
    np.testing.assert_array_equal(read_cells(VALUES << (high - 11), 12, high), VALUES)


@pytest.mark.parametrize("high", [11, 13, 15])
def test_signed_samples_keep_their_sign(high):
    signed = VALUES - 2048
    cells = (signed & 0xFFF) << (high - 11)
    np.testing.assert_array_equal(read_cells(cells, 12, high, signed=True), signed)


@pytest.mark.parametrize("high", [11, 13])
def test_what_lies_around_a_sample_is_no_part_of_it(high):
    """Overlays of old lie in the bits above a sample; here ones lie below it, too."""
    shift = high - 11
    cells = (VALUES << shift) | (0xC000 if high == 13 else 0xA000) | ((1 << shift) - 1)
    np.testing.assert_array_equal(read_cells(cells, 12, high), VALUES)
    np.testing.assert_array_equal(read_cells(cells, 12, high, True) % 4096, VALUES)


def test_run_lengths_are_shifted_too():
    from pydicom.uid import RLELossless

    np.testing.assert_array_equal(read_cells(VALUES << 4, 12, 15, syntax=RLELossless), VALUES)


@pytest.mark.parametrize("high", [0, None])
def test_an_absent_high_bit_is_the_usual_one(high):
    dataset = make_dataset(VALUES.astype(np.uint16), bits_stored=12)
    dataset.HighBit = high
    np.testing.assert_array_equal(read_image(to_bytes(dataset)).modality_values, VALUES)


@pytest.mark.parametrize(
    ("allocated", "stored", "high"), [(16, 12, 7), (16, 12, 16), (16, 17, 16), (16, 0, 11)]
)
def test_numbers_that_contradict_each_other_are_refused(allocated, stored, high):
    data = dicom_bytes(
        VALUES.astype(np.uint16), BitsAllocated=allocated, BitsStored=stored, HighBit=high
    )
    with pytest.raises(DicomError, match=r"High Bit must lie within .* found 16 allocated"):
        read_image(data)


def test_a_compressed_sample_must_start_at_bit_0():
    data = bytearray((HERE / "lossless_sv1_12.dcm").read_bytes())
    start = data.index(b"\x28\x00\x02\x01US\x02\x00") + 8
    data[start] = 15
    with pytest.raises(DicomError, match=r"color or compressed image must be 11, .* found 15"):
        read_image(bytes(data))


def test_a_color_sample_must_start_at_bit_0():
    data = dicom_bytes(np.zeros((2, 2, 3), np.uint16), photometric="RGB", BitsStored=12, HighBit=15)
    with pytest.raises(DicomError, match="color or compressed image must be 11"):
        read_image(data)
