"""What is held of a very large picture: means of squares, and places in px of the file."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from jomed_app.boxes import Box
from jomed_app.imaging import read_image, turned_over
from jomed_app.imaging.content import held as module
from jomed_app.imaging.content.held import held_picture, on_grid, reduced_corners
from jomed_app.imaging.content.region import with_region
from jomed_app.imaging.grayscale import as_rgb
from jomed_app.models.pixels import Letterbox
from jomed_app.types import Picture, Region
from tests.imaging.datasets import raster_bytes
from tests.imaging.test_quality import check_of


@pytest.fixture
def small_limit(monkeypatch):
    """Hold at most 2,500 px of a picture."""
    monkeypatch.setattr(
        "jomed_app.imaging.content.region.held_picture", lambda picture: held_picture(picture, 2500)
    )


def picture_of(gray: np.ndarray, values: np.ndarray | None = None) -> Picture:
    rows, columns = gray.shape
    return Picture(as_rgb(gray), values, Region.of_whole(rows, columns))


def test_a_picture_that_is_small_enough_is_itself():
    picture = picture_of(np.zeros((50, 50), np.uint8))
    assert held_picture(picture, 2500) is picture


def test_px_are_the_means_of_squares_and_values_the_nearest_whole_numbers():
    gray = np.array([[0, 10, 7], [20, 30, 9]], np.uint8)
    values = np.array([[0, 1000, 7], [3000, 4001, 10]], np.uint16)
    held = held_picture(picture_of(gray, values), 2)
    assert held.step == 2
    np.testing.assert_array_equal(held.rendering[..., 0], [[15, 8]])
    assert held.rendering.strides[2] == 0
    np.testing.assert_array_equal(held.values, [[2000, 8]])
    assert held.values.dtype == np.uint16


def test_values_that_are_not_whole_keep_their_fractions():
    values = np.array([[0.0, 0.5], [0.25, 0.25]], np.float32)
    held = held_picture(picture_of(np.zeros((2, 2), np.uint8), values), 1)
    np.testing.assert_array_equal(held.values, [[0.25]])


def test_colors_are_reduced_apart():
    rendering = np.zeros((2, 2, 3), np.uint8)
    rendering[0, 0] = (40, 80, 120)
    held = held_picture(Picture(rendering, None, Region.of_whole(2, 2)), 1)
    np.testing.assert_array_equal(held.rendering, [[[10, 20, 30]]])


def test_blocks_of_rows_leave_no_seam(monkeypatch):
    values = np.random.default_rng(0).integers(0, 60000, (301, 97)).astype(np.uint16)
    at_once = held_picture(picture_of(np.zeros_like(values, np.uint8), values), 4000).values
    monkeypatch.setattr("jomed_app.imaging.grayscale._CHUNK_PX", 200)
    by_blocks = held_picture(picture_of(np.zeros_like(values, np.uint8), values), 4000).values
    np.testing.assert_array_equal(by_blocks, at_once)


@pytest.mark.parametrize(("rows", "columns"), [(9999, 3), (3, 9999), (51, 50), (173, 211)])
def test_no_more_than_the_limit_is_held(rows, columns):
    held = held_picture(picture_of(np.zeros((rows, columns), np.uint8)), 2500)
    assert held.rendering.shape[0] * held.rendering.shape[1] <= 2500


def test_a_region_grows_to_whole_squares_and_stays_in_the_picture():
    region = Region(x0=5, y0=4, x1=11, y1=10, source="user")
    assert on_grid(region, 1, 11, 11) is region
    assert on_grid(region, 4, 11, 11).corners == (4, 4, 11, 11)
    assert reduced_corners((4, 4, 11, 11), 4) == (1, 1, 3, 3)


def test_places_of_a_reduced_picture_are_in_px_of_the_file(small_limit):
    gray = np.tile(np.linspace(0, 255, 201).astype(np.uint8), (100, 1))
    record = read_image(raster_bytes(Image.fromarray(gray), "PNG"))
    assert record.picture.step == 3
    assert record.model_input.shape == (34, 67, 3)
    assert (record.info.rows, record.info.columns) == record.size_px == (100, 201)
    assert check_of(record, "size").value == 100
    assert "held at 1/3 of its size" in check_of(record, "region").message
    place = Letterbox.of_record(record, 64)
    box = Box(60.0, 30.0, 120.0, 60.0)
    assert place.to_image(place.to_unit(box)).as_tuple() == pytest.approx(box.as_tuple())

    part = with_region(record, (50, 10, 120, 81))
    assert part.info.region.corners == (48, 9, 120, 81)
    assert part.model_input.shape == (*part.modality_values.shape, 3) == (24, 24, 3)
    assert part.size_px == (72, 72)
    np.testing.assert_allclose(part.model_input[0, :, 0], gray[9, 49:120:3], atol=1)
    again = turned_over(turned_over(part))
    np.testing.assert_array_equal(again.model_input, part.model_input)
    assert with_region(part, "whole").info == record.info


def test_text_is_painted_over_in_a_reduced_picture(small_limit, monkeypatch):
    monkeypatch.setattr(
        "jomed_app.imaging.content.region.find_text",
        lambda rendering: ((60, 30, 120, 42), (60, 60, 120, 72)),
    )
    gray = np.full((120, 180), 40, np.uint8)
    gray[33:39, 63:117:6] = gray[63:69, 63:117:6] = 250
    record = read_image(raster_bytes(Image.fromarray(gray), "PNG"))
    assert record.picture.step == 3
    assert record.picture.rendering.max() > 80
    assert record.model_input.max() < 60
    assert "left side" not in check_of(record, "annotation").message
    assert check_of(record, "annotation").value == 2


def test_a_film_is_held_as_it_is_and_64_million_pixels_are_not():
    assert 4096 * 3328 <= module.MAX_HELD_PX < 8000 * 8000
