"""Which part of a picture is read: by wish, in words, and without touching a gray level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jomed_app.errors import ImageError
from jomed_app.imaging import read_image
from jomed_app.imaging.content.region import parse_region, wish_of, with_region
from tests.imaging.datasets import dicom_bytes, raster_bytes
from tests.imaging.dicom.test_regions import SCREEN, read, region

PNG = raster_bytes(Image.fromarray(SCREEN), "PNG")


def test_a_bare_picture_is_read_whole_and_to_the_pixel():
    record = read_image(PNG)
    assert record.info.region.corners == (0, 0, 128, 96)
    assert record.info.region.source == "whole"
    np.testing.assert_array_equal(record.model_input, read_image(PNG, region=None).model_input)


def test_a_case_of_a_corpus_is_read_as_it_lies_there():
    data = dicom_bytes(SCREEN, SequenceOfUltrasoundRegions=[region(20, 10, 99, 69)])
    record = read_image(data, region=None)
    assert record.model_input.shape[:2] == SCREEN.shape
    assert record.info.region.source == "whole"
    assert record.picture is None
    with pytest.raises(ImageError, match="a region requires the whole picture, found none"):
        with_region(record, "whole")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 96), st.integers(0, 64), st.integers(32, 128), st.integers(32, 96))
def test_any_part_inside_is_cut_to_the_pixel_and_undone(x0, y0, width, height):
    record = read_image(PNG)
    x1, y1 = min(128, x0 + width), min(96, y0 + height)
    part = with_region(record, (x0, y0, x1, y1))
    np.testing.assert_array_equal(part.model_input[..., 0], SCREEN[y0:y1, x0:x1])
    assert part.info.region.source == "user"
    assert wish_of(part) == (x0, y0, x1, y1)
    whole = with_region(part, "whole")
    np.testing.assert_array_equal(whole.model_input, record.model_input)
    assert whole.info == record.info


def test_the_whole_of_a_file_with_a_region_and_back():
    found = read(region(20, 10, 99, 69), PixelSpacing=[7, 7])
    whole = with_region(found, "whole")
    assert whole.info.region.source == "whole"
    assert whole.model_input.shape[:2] == SCREEN.shape
    assert whole.pixel_spacing_mm == (7, 7)
    assert (wish_of(found), wish_of(whole)) == ("found", "whole")
    back = with_region(whole, "found")
    assert back.info == found.info
    assert back.metadata == found.metadata


def test_a_part_of_the_region_keeps_its_millimeters_and_any_other_does_not():
    found = read(region(20, 10, 99, 69))
    assert with_region(found, (30, 20, 90, 60)).pixel_spacing_mm == pytest.approx((0.2, 0.1))
    assert with_region(found, (0, 0, 90, 60)).pixel_spacing_mm is None


def test_a_window_of_the_whole_picture_holds_for_its_part():
    deep = np.random.default_rng(1).integers(0, 4095, (96, 128)).astype(np.uint16)
    deep[:, :20] = 60000
    whole = read_image(dicom_bytes(deep))
    part = with_region(whole, (40, 10, 110, 80))
    np.testing.assert_array_equal(part.model_input, whole.model_input[10:80, 40:110])


@pytest.mark.parametrize(
    "corners", [(0, 0, 129, 96), (-1, 0, 90, 90), (0, 0, 20, 90), (90, 0, 10, 90), (0, 90, 60, 97)]
)
def test_a_part_outside_of_the_picture_is_refused(corners):
    with pytest.raises(ImageError, match="a region must lie in the picture of 128 x 96 px"):
        read_image(PNG, region=corners)


@pytest.mark.parametrize(
    ("words", "wish"),
    [("found", "found"), ("", "found"), (" Whole ", "whole"), ("1, 2,30,40", (1, 2, 30, 40))],
)
def test_a_wish_in_words(words, wish):
    assert parse_region(words) == wish


@pytest.mark.parametrize(
    "words", ["1,2,3", "1,2,3,x", "-1,0,40,40", "1.5,0,40,40", "left", "²,1,2,3"]
)
def test_other_words_are_refused(words):
    with pytest.raises(
        ImageError, match=r"a region must be 'found', 'whole' or four whole numbers"
    ):
        parse_region(words)
