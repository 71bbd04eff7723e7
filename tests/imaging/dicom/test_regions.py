"""Sequence of Ultrasound Regions: which region is read, and how large its pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from jomed_app.imaging import read_image
from tests.imaging.datasets import dicom_bytes

SCREEN = np.random.default_rng(0).integers(0, 255, (96, 128), dtype=np.uint8)


def region(x0: int, y0: int, x1: int, y1: int, **others: Any) -> Dataset:
    """Return an item; its corners are those of the first and the last pixel."""
    item = Dataset()
    values = {
        "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionLocationMinX0": x0,
        "RegionLocationMinY0": y0, "RegionLocationMaxX1": x1, "RegionLocationMaxY1": y1,
        "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.01, "PhysicalDeltaY": 0.02,
    } | others  # fmt: skip
    for keyword, value in values.items():
        if value is not None:
            setattr(item, keyword, value)
    return item


def read(*regions: Dataset, picture: np.ndarray = SCREEN, **attributes: Any):
    return read_image(
        dicom_bytes(picture, Modality="US", SequenceOfUltrasoundRegions=list(regions), **attributes)
    )


def failed(record) -> dict[str, Any]:
    return {check.name: check for check in record.info.checks if not check.passed}


def test_the_region_is_cut_out_to_the_pixel_and_its_millimeters_are_taken():
    record = read(region(20, 10, 99, 69), PixelSpacing=[7, 7])
    assert record.info.region.corners == (20, 10, 100, 70)
    assert record.info.region.source == "tag"
    assert (record.info.rows, record.info.columns) == SCREEN.shape
    np.testing.assert_array_equal(record.model_input[..., 1], SCREEN[10:70, 20:100])
    np.testing.assert_array_equal(record.modality_values, SCREEN[10:70, 20:100])
    assert record.pixel_spacing_mm == pytest.approx((0.2, 0.1))
    assert record.metadata["PixelSpacing"] == "0.2 x 0.1"
    said = next(check for check in record.info.checks if check.name == "region")
    assert said.value == "cropped, from the file"
    assert said.message.startswith("Cropped to the ultrasound region of 80 x 60 px")


@pytest.mark.parametrize(
    "changes",
    [
        {"PhysicalUnitsXDirection": 4},
        {"PhysicalUnitsYDirection": None},
        {"PhysicalDeltaX": 0.0},
        {"PhysicalDeltaY": None},
    ],
)
def test_other_units_than_centimeters_give_no_millimeters(changes):
    record = read(region(20, 10, 99, 69, **changes))
    assert record.info.region.spacing_mm is None
    assert record.pixel_spacing_mm is None


def test_a_negative_delta_has_a_size_all_the_same():
    assert read(region(20, 10, 99, 69, PhysicalDeltaY=-0.02)).pixel_spacing_mm[0] == 0.2


def test_of_a_dual_image_the_largest_is_read_and_it_is_said():
    record = read(region(0, 10, 49, 69), region(60, 10, 119, 69))
    assert record.info.region.corners == (60, 10, 120, 70)
    assert failed(record)["regions"].message.startswith("The file names 2 B-mode regions")


def test_of_two_equal_regions_the_left_one_is_read():
    record = read(region(60, 10, 109, 69), region(0, 10, 49, 69))
    assert record.info.region.corners[0] == 0


def test_flow_spectrum_and_m_mode_do_not_replace_the_tissue():
    record = read(
        region(0, 0, 127, 95, RegionSpatialFormat=3, RegionDataType=3),
        region(0, 0, 127, 95, RegionSpatialFormat=2),
        region(10, 5, 99, 69, RegionDataType=2),
        region(20, 10, 79, 59),
    )
    assert record.info.region.corners == (20, 10, 80, 60)
    assert "regions" not in failed(record)


def test_color_flow_alone_is_read():
    assert read(region(20, 10, 79, 59, RegionDataType=2)).info.region.corners == (20, 10, 80, 60)


@pytest.mark.parametrize(
    "corners", [(0, 0, 300, 60), (20, 10, 21, 69), (90, 10, 20, 69), (5, 5, 100, 200)]
)
def test_a_region_that_does_not_fit_is_left_out_and_it_is_said(corners):
    record = read(region(*corners))
    assert record.info.region.source == "whole"
    assert record.model_input.shape[:2] == SCREEN.shape
    assert failed(record)["regions"].value == "left out"


def test_a_last_pixel_one_too_far_is_forgiven():
    assert read(region(20, 10, 128, 96)).info.region.corners == (20, 10, 128, 96)


@pytest.mark.parametrize("damage", [None, [], [Dataset()]])
def test_without_a_usable_sequence_the_whole_is_read(damage):
    record = read_image(dicom_bytes(SCREEN, SequenceOfUltrasoundRegions=damage or []))
    assert record.info.region.source == "whole"
    assert not {"region", "regions"} & set(failed(record))


def test_color_and_several_frames_are_cut_alike():
    rgb = np.stack([SCREEN, SCREEN // 2, SCREEN // 3], axis=-1)
    record = read(region(20, 10, 99, 69), picture=rgb, photometric="RGB")
    np.testing.assert_array_equal(record.model_input, rgb[10:70, 20:100])
    stack = np.stack([SCREEN, 255 - SCREEN])
    data = dicom_bytes(stack, frames=2, SequenceOfUltrasoundRegions=[region(20, 10, 99, 69)])
    second = read_image(data, frame=1)
    np.testing.assert_array_equal(second.model_input[..., 0], 255 - SCREEN[10:70, 20:100])
