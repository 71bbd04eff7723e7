from __future__ import annotations

import io

import numpy as np
from PIL import Image

from jomed_app.export.picture import LEAST_WIDTH, labelled_picture, png
from jomed_app.export.places import placed_boxes
from tests.export.finished_cases import finished
from tests.ui.fake_engine import png_bytes


def test_nothing_but_outlines_stands_on_the_picture():
    kept, image = finished()
    pixels = image.model_input
    shown = np.asarray(labelled_picture(kept, pixels))
    rows, columns = pixels.shape[:2]
    changed = (shown[:rows, :columns] != pixels).any(axis=2)
    near = np.zeros_like(changed)
    inside = np.zeros_like(changed)
    for placed in placed_boxes(kept):
        x0, y0, x1, y1 = (round(edge) for edge in placed.box.as_tuple())
        near[y0:y1, x0:x1] = True
        inside[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3] = True
    assert changed.any()
    assert not (changed & ~near).any(), "an outline lies within its box"
    assert not (changed & inside).any()
    assert len(shown) > rows + 40, "the legend lies below"


def test_a_narrow_picture_keeps_its_place_beside_a_wider_legend():
    kept, image = finished(png_bytes(4, rows=200, columns=90))
    shown = np.asarray(labelled_picture(kept, image.model_input))
    assert shown.shape[1] == LEAST_WIDTH
    empty = kept.model_copy(update={"result": kept.result.model_copy(update={"boxes": ()})})
    plain = np.asarray(labelled_picture(empty, image.model_input))
    assert np.array_equal(plain[:200, :90], image.model_input)


def test_the_file_holds_pixels_alone():
    kept, image = finished()
    content = png(kept, image.model_input)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.info == {}
    assert {content[place - 4 : place] for place in (16,)} == {b"IHDR"}
    assert b"tEXt" not in content
    assert b"tIME" not in content
    assert png(kept, image.model_input) == content
