"""Burned-in text: found as lines, painted over, and named by its place alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from jomed_app.errors import BundleError
from jomed_app.imaging import read_image
from jomed_app.imaging.content import text as module
from jomed_app.imaging.content.text import find_text, lines_in, paint_over, text_check
from tests.imaging.datasets import raster_bytes
from tests.imaging.test_quality import check_of, speckle

WORDS = "DOE JOHN 1950"


def written(*corners: tuple[int, int]) -> np.ndarray:
    """Return speckle with words on it, (480, 480)."""
    picture = Image.fromarray(speckle(1) // 3)
    font = ImageFont.load_default(size=16)
    for corner in corners:
        ImageDraw.Draw(picture).text(corner, WORDS, fill=255, font=font)
    return np.asarray(picture)


def rgb(gray: np.ndarray) -> np.ndarray:
    return np.repeat(gray[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("corner", "place"),
    [((8, 8), "upper left corner"), ((300, 8), "upper right corner"), ((180, 450), "lower edge")],
)
def test_text_is_named_by_its_place_and_never_by_what_it_says(corner, place):
    record = read_image(raster_bytes(Image.fromarray(written(corner)), "PNG"))
    check = check_of(record, "annotation")
    assert not check.passed
    assert place in check.message
    assert "DOE" not in repr(record.info) + repr(record.metadata)


def test_text_is_painted_over_and_nothing_else_is_touched():
    gray = written((180, 200), (20, 300))
    record = read_image(raster_bytes(Image.fromarray(gray), "PNG"))
    changed = record.model_input[..., 0] != gray
    assert len(record.picture.text) == 2
    for x0, y0, x1, y1 in record.picture.text:
        assert changed[y0:y1, x0:x1].any()
        changed[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = False
    assert not changed.any()
    strokes = gray == 255
    assert record.model_input[strokes].mean() < 130
    np.testing.assert_array_equal(record.picture.rendering[..., 0], gray)
    np.testing.assert_array_equal(record.modality_values, gray)


def test_a_single_line_is_warned_of_and_left():
    gray = written((180, 200))
    record = read_image(raster_bytes(Image.fromarray(gray), "PNG"))
    np.testing.assert_array_equal(record.model_input[..., 0], gray)
    assert check_of(record, "annotation").message == (
        "Text is burned into the picture (center); a single line is not painted over, the model "
        "reads the picture with it. Check it for names before you show the picture to others."
    )


def test_dots_between_callipers_are_no_text():
    picture = Image.fromarray(speckle(1) // 3)
    draw = ImageDraw.Draw(picture)
    for x in range(150, 300, 8):
        draw.rectangle((x, 200, x + 2, 202), fill=230)
    assert find_text(rgb(np.asarray(picture))) == ()


@pytest.mark.parametrize("seed", range(3))
def test_speckle_has_no_text(seed):
    assert find_text(rgb(speckle(seed))) == ()
    assert read_image(raster_bytes(Image.fromarray(speckle(seed)), "PNG")).picture.text == ()


def test_a_picture_too_small_for_text_is_not_looked_at():
    assert find_text(np.zeros((20, 200, 3), np.uint8)) == ()


def test_crosses_of_callipers_are_no_text():
    picture = Image.fromarray(speckle(2) // 3)
    draw = ImageDraw.Draw(picture)
    for x, y in ((150, 200), (300, 210)):
        draw.line((x - 6, y, x + 6, y), fill=240, width=2)
        draw.line((x, y - 6, x, y + 6), fill=240, width=2)
    assert find_text(rgb(np.asarray(picture))) == ()


def test_lines_are_cut_to_the_region_that_is_read():
    lines = [(0, 0, 50, 10), (90, 40, 140, 60), (10, 90, 60, 99)]
    assert lines_in(lines, (20, 5, 100, 80)) == ((0, 0, 30, 5), (70, 35, 80, 55))


def test_without_lines_the_picture_is_the_same_object():
    picture = rgb(speckle(0))
    assert paint_over(picture, ()) is picture
    assert text_check((), 10, 10).passed


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ((0, 0, 10, 10), "upper left corner"),
        ((45, 45, 55, 55), "center"),
        ((90, 40, 100, 60), "right side"),
        ((40, 90, 60, 100), "lower edge"),
    ],
)
def test_a_place_in_words(line, place):
    assert f"({place})" in text_check((line,), 100, 100).message


@pytest.mark.parametrize("content", [None, b"another file"])
def test_a_detector_that_is_not_ours_is_refused(content, tmp_path, monkeypatch):
    path = tmp_path / "detector.onnx"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(module, "DETECTOR", path)
    module._detector.cache_clear()
    with pytest.raises(BundleError, match=r"the text detector that ships with the app is required"):
        find_text(rgb(speckle(0)))
    module._detector.cache_clear()


def labelled(words: tuple[str, ...]) -> np.ndarray:
    """Return a column of labels on black, RGB."""
    picture = Image.new("L", (480, 480))
    font = ImageFont.load_default(size=16)
    for number, each in enumerate(words):
        ImageDraw.Draw(picture).text((40, 20 + 40 * number), each, fill=230, font=font)
    return rgb(np.asarray(picture))


LINES = ("FR 31Hz DR 72", "D 4.0 cm", "Map 3/0 Gn 48", "Loop 7/120")


def test_labels_of_two_signs_are_found_among_lines():
    found = find_text(labelled((*LINES, "2D", "RS", "Res")))
    assert [y0 // 40 for _, y0, _, _ in found] == list(range(7))
    for x0, y0, x1, y1 in found[4:]:
        assert x1 - x0 < 2 * (y1 - y0)


def test_labels_of_two_signs_are_left_where_few_lines_stand():
    assert len(find_text(labelled((*LINES[:3], "2D", "RS")))) == 3


def test_a_short_mark_of_another_height_is_no_label(monkeypatch):
    monkeypatch.setattr(module, "SHORT_HEIGHTS", (0.6, 0.7))
    assert len(find_text(labelled((*LINES, "2D")))) == 4
