"""Black and white exchanged by the reader's wish."""

from __future__ import annotations

import numpy as np
from PIL import Image

from jomed_app.imaging import read_image, turned_over
from jomed_app.imaging.display import render
from jomed_app.simulator import simulate_case
from tests.imaging.datasets import raster_bytes


def record(gray):
    return read_image(raster_bytes(Image.fromarray(gray), "PNG"))


def test_it_is_the_record_of_the_inverted_file():
    gray = simulate_case(6_100, size_px=240).image
    turned, other = turned_over(record(gray)), record(255 - gray)
    assert np.array_equal(turned.model_input, other.model_input)
    assert turned.content == other.content
    skipped = {"inversion"}
    assert [c for c in turned.info.checks if c.name not in skipped] == [
        c for c in other.info.checks if c.name not in skipped
    ]
    assert not turned.model_input.flags.writeable


def test_it_is_said_and_shown_and_can_be_taken_back():
    gray = simulate_case(6_100, size_px=240).image
    plain = record(gray)
    turned = turned_over(plain)
    (said,) = [check for check in turned.info.checks if check.name == "inversion"]
    assert (said.passed, said.value) == (True, "inverted as asked")
    assert turned.info.inverted_as_asked
    assert np.array_equal(render(turned, turned.windows[0]), 255 - gray)
    back = turned_over(turned)
    assert np.array_equal(back.model_input, plain.model_input)
    assert back.inverted == plain.inverted
    assert not back.info.inverted_as_asked


def test_a_colored_picture_is_turned_over_too():
    rgb = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    turned = turned_over(record(rgb))
    assert np.array_equal(turned.model_input, 255 - rgb)
