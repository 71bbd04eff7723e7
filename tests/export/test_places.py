from __future__ import annotations

import pytest

from jomed_app.export.places import placed_boxes, spacing_mm, step_of
from jomed_app.types import BoxResult, Region
from tests.export.finished_cases import finished


def placed(kept, region, boxes, rows, columns):
    """A saved result of this region, these boxes and so many px that were read."""
    info = kept.result.input.model_copy(update={"region": region})
    result = kept.result.model_copy(update={"input": info, "boxes": boxes})
    query = kept.query.model_copy(update={"rows": rows, "columns": columns})
    return kept.model_copy(update={"result": result, "query": query})


def test_boxes_move_with_the_region_and_shrink_with_a_reduced_picture():
    kept, _ = finished()
    region = Region(x0=100, y0=50, x1=300, y1=150, source="tag", spacing_mm=(0.1, 0.2))
    boxes = (
        BoxResult(x0=120, y0=60, x1=180, y1=100, score=0.5, label="inside"),
        BoxResult(x0=0, y0=0, x1=140, y1=90, score=0.4, label="over the edge"),
        BoxResult(x0=0, y0=0, x1=90, y1=40, score=0.3, label="outside"),
    )
    small = placed(kept, region, boxes, rows=50, columns=100)
    assert step_of(small) == (2, 2)
    assert [(each.label, each.box.as_tuple()) for each in placed_boxes(small)] == [
        ("inside", (10, 5, 40, 25)),
        ("over the edge", (0, 0, 20, 20)),
    ]
    assert spacing_mm(small) == (0.2, 0.4)


def test_an_older_result_without_a_region_is_of_the_whole_picture():
    kept, _ = finished()
    boxes = (BoxResult(x0=3, y0=4, x1=50, y1=60, score=0.5, label="a"),)
    info = kept.result.input
    old = placed(kept, None, boxes, rows=info.rows, columns=info.columns)
    assert placed_boxes(old)[0].box.as_tuple() == pytest.approx((3, 4, 50, 60))
    assert spacing_mm(old) is None
