import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from jomed_app.imaging.dicom.luts import expand_segments, read_lut


def lut_dataset(descriptor, data, vr="OW"):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", vr, data)
    return item


@pytest.mark.parametrize(
    ("data", "vr", "little"),
    [
        (b"\x01\x00\x02\x00\x03\x00", "OW", True),
        (b"\x00\x01\x00\x02\x00\x03", "OW", False),
        ([1, 2, 3], "US", True),
        (b"\x01\x02\x03\x00", "OW", True),  # 8-bit entries packed two to a word
    ],
)
def test_entries_are_read_from_words_and_bytes(data, vr, little):
    lut = read_lut(lut_dataset([3, 5, 8], data, vr), little)
    np.testing.assert_array_equal(lut.entries, [1, 2, 3])
    assert (lut.first, lut.bits) == (5, 8)


@pytest.mark.parametrize(
    ("descriptor", "data"), [([9, 0, 8], b"\0\0"), ([1, 0, 99], b"\0\0"), ([1, 0], b"\0\0")]
)
def test_a_damaged_lut_is_unusable(descriptor, data):
    assert read_lut(lut_dataset(descriptor, data), True) is None
    assert read_lut(Dataset(), True) is None


def test_segments_expand_as_the_standard_says():
    # PS3.3 C.7.9.2: discrete 3 values, then a line of 4 to 12, then both again by reference
    words = [0, 3, 1, 2, 4, 1, 4, 12, 2, 2, 0, 0]
    expected = [1, 2, 4, 6, 8, 10, 12]
    assert expand_segments(words, 7, 2) == expected
    assert expand_segments(words, 14, 2) == expected * 2


def test_segments_agree_with_pydicom():
    from pydicom.pixels.processing import _expand_segmented_lut

    words = (0, 2, 10, 20, 1, 5, 70, 0, 1, 3, 2, 3, 0, 0)
    reference = _expand_segmented_lut(words, "<14H")
    assert expand_segments(list(words), len(reference), 2) == list(reference)


@given(st.lists(st.integers(0, 65535), max_size=60), st.sampled_from([1, 2]))
def test_any_segments_end_within_their_count(words, width):
    assert len(expand_segments(words, 256, width)) <= 256


def test_a_palette_that_refers_to_itself_ends():
    assert len(expand_segments([2, 65535, 0, 0], 65536, 2)) <= 65536
