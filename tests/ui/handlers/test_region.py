"""Reading another part of the picture: shown, undone, refused; the viewer's boxes stay in place."""

from __future__ import annotations

from jomed_app.imaging import read_image
from jomed_app.ui import text
from jomed_app.ui.handlers.case import choose_region, run_case
from jomed_app.ui.handlers.screen import NO_BANNER
from jomed_app.ui.panels.viewer.region import region_wish
from tests.ui.fake_engine import FakeEngine, png_bytes
from tests.ui.handlers.running import run_to_end


def test_a_part_is_read_anew_and_its_boxes_lie_in_it(store):
    engine = FakeEngine()
    before = run_to_end(engine, store)[-1].viewer
    image = store.get("a").image
    rows, columns = image.info.rows, image.info.columns
    part = (4, 6, columns - 2, rows)
    screen = choose_region(engine, store, "a", part)
    assert (screen.is_busy, screen.status.sentence) == (True, text.STATUS_REGION)
    assert screen.viewer["case"] != before["case"]
    assert screen.viewer["region"]["corners"] == part
    words = f"{columns - 6} x {rows - 6} of {columns} x {rows} px"
    assert screen.viewer["panes"][0]["note"] == words
    last = list(run_case(engine, store, "a"))[-1]
    case = store.get("a")
    assert case.image.info.region.source == "user"
    (box, *_), shown = case.result.boxes, last.viewer["panes"][0]["boxes"]
    assert (shown[0]["x0"], shown[0]["y1"]) == (box.x0 - 4, box.y1 - 6)

    back = choose_region(engine, store, "a", "whole")
    assert back.viewer["region"]["wish"] == "whole"
    assert store.get("a").image.info == read_image(png_bytes(0)).info


def test_a_part_outside_of_the_picture_changes_nothing(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    case = store.get("a")
    screen = choose_region(engine, store, "a", (0, 0, 9999, 50))
    assert "A region must lie in the picture of" in screen.banner.sentence
    assert screen.viewer is None
    assert store.get("a") is case
    assert case.result is not None


def test_without_a_case_there_is_no_part_to_read(store):
    screen = choose_region(FakeEngine(), store, "a", "whole")
    assert screen.banner != NO_BANNER
    assert not screen.has_case


def test_what_the_page_sends_is_a_wish_or_the_region_found():
    assert region_wish([1, 2, 30, 40]) == (1, 2, 30, 40)
    assert region_wish("whole") == "whole"
    for sent in (None, "left", [1, 2, 3], [1, 2, 3, "4"], {"x0": 1}):
        assert region_wish(sent) == "found"
