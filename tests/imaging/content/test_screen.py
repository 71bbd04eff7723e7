"""The ultrasound region of a machine's screen: to the pixel, and never of a bare image."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from benchmarks.reliability.screens.layouts import LAYOUTS, draw_screen
from jomed_app.imaging import read_image
from jomed_app.imaging.content.screen import find_screen_region
from jomed_app.simulator.case import simulate_case
from tests.imaging.datasets import dicom_bytes, raster_bytes


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    """A simulated image without margins, RGB."""
    gray = simulate_case(3).image
    rows, columns = gray.shape
    return np.repeat(gray[: rows - 60, 10 : columns - 70, None], 3, axis=2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_region_of_a_screen_is_found_to_the_pixel(layout, tissue):
    screen = draw_screen(tissue, LAYOUTS[layout], np.random.default_rng(0))
    assert find_screen_region(screen.pixels, screen.text) == pytest.approx(screen.corners, abs=1)


def test_compression_moves_an_edge_by_a_few_pixels_at_most(tissue):
    screen = draw_screen(tissue, LAYOUTS["gray banner and side bar"], np.random.default_rng(0))
    stream = BytesIO()
    Image.fromarray(screen.pixels).save(stream, "JPEG", quality=90)
    pixels = np.asarray(Image.open(stream).convert("RGB"))
    assert find_screen_region(pixels, screen.text) == pytest.approx(screen.corners, abs=4)


def test_a_screen_is_cropped_and_the_result_says_so(tissue):
    screen = draw_screen(tissue, LAYOUTS["text on black"], np.random.default_rng(0))
    record = read_image(raster_bytes(Image.fromarray(screen.pixels), "PNG"))
    assert record.info.region.source == "detected"
    assert record.info.region.corners == pytest.approx(screen.corners, abs=1)
    said = next(check for check in record.info.checks if check.name == "region")
    assert said.value == "cropped, detected"


def test_a_color_screen_in_dicom_and_a_tag_that_wins(tissue):
    screen = draw_screen(tissue, LAYOUTS["text on black"], np.random.default_rng(0))
    tinted = screen.pixels.copy()
    tinted[500:540, 900:930] = (200, 30, 30)  # a color chip
    found = read_image(dicom_bytes(tinted, photometric="RGB", Modality="US"))
    assert found.info.region.source == "detected"
    other = read_image(dicom_bytes(tinted, photometric="RGB", Modality="CT"))
    assert other.info.region.source == "whole"


@pytest.mark.parametrize("seed", range(6))
def test_a_simulated_image_with_margins_and_marks_stays_as_it_is(seed):
    record = read_image(raster_bytes(Image.fromarray(simulate_case(seed).image), "PNG"))
    assert record.info.region.source == "whole"


def test_a_bare_image_is_no_screen_whatever_stands_on_it(tissue):
    lines = [(10, 10 + 30 * number, 90, 25 + 30 * number) for number in range(5)]
    assert find_screen_region(tissue, lines) is None
    assert find_screen_region(tissue, ()) is None


def test_black_margins_without_text_are_no_screen(tissue):
    framed = np.zeros((600, 900, 3), np.uint8)
    framed[50 : 50 + tissue.shape[0], 100 : 100 + tissue.shape[1]] = tissue
    assert find_screen_region(framed, ()) is None


def test_text_alone_holds_no_region():
    page = np.zeros((400, 600, 3), np.uint8)
    lines = [(20, 30 * number, 300, 30 * number + 14) for number in range(1, 9)]
    for x0, y0, x1, y1 in lines:
        page[y0:y1:2, x0:x1:3] = 255
    assert find_screen_region(page, lines) is None


def test_a_picture_too_small_or_too_large_is_not_looked_at():
    lines = [(0, 0, 30, 8)] * 4
    assert find_screen_region(np.zeros((100, 100, 3), np.uint8), lines) is None
    huge = np.broadcast_to(np.uint8(0), (3000, 3000, 3))
    assert find_screen_region(huge, lines) is None
