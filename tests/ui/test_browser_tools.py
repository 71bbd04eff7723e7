"""Ruler, magnifier, flicker and the heat map's opacity, in Chromium."""

from __future__ import annotations

import math

import pytest

from tests.imaging.datasets import dicom_bytes
from tests.ui.fake_engine import picture
from tests.ui.test_browser import browser, case, pytestmark, serious_faults, visit
from tests.ui.visit import PANE

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

ROWS, COLUMNS = 256, 320
SPACING = (0.2, 0.05)  # mm between rows, between columns
HEAT = '[data-pane="query"] .heat'
LENS = """() => {
  const lens = document.querySelector('[data-pane="query"] .lens');
  const {style} = lens.firstElementChild;
  return [style.backgroundPosition + ' ' + style.backgroundSize, lens.clientWidth];
}"""


def ultrasound() -> bytes:
    """Return a DICOM picture whose pixels are four times as high as they are wide."""
    return dicom_bytes(picture(3, ROWS, COLUMNS), PixelSpacing=list(SPACING), Modality="US")


def words(page, pane: str) -> str:
    return page.inner_text(f'[data-pane="{pane}"] .ruler-words')


def draw(page, pane: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place of an image to another, each (x, y) in [0, 1] of its sides."""
    image = page.locator(f'[data-pane="{pane}"] img')
    image.scroll_into_view_if_needed()
    area = image.bounding_box()
    (x0, y0), (x1, y1) = (
        (area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in (start, end)
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=3)
    page.mouse.up()


@pytest.fixture
def measured(visit):
    """A picture in mm with the ruler in hand."""
    here = visit()
    here.upload("a.dcm", ultrasound())
    here.done()
    here.page.focus(".jv")
    here.page.keyboard.press("m")
    return here


def test_the_ruler_measures_in_mm_along_pixels_that_are_not_square(measured):
    page = measured.page
    draw(page, "query", (0.25, 0.25), (0.75, 0.5))
    # 160 px of 0.05 mm across, 64 px of 0.2 mm down: 8.0 and 12.8 mm, together 15.09 mm.
    across, down = 160 * 0.05, 64 * 0.2
    said = words(page, "query")
    length = float(said.split()[1])
    assert said.split()[2] == "mm"
    assert length == pytest.approx(math.hypot(across, down), abs=0.35), "to a px of the screen"
    assert page.inner_text("[data-part=ruler-length]") == f"{length:.1f} mm"
    assert "by the pixel spacing in the file" in page.inner_text("[data-part=ruler-note]")

    for place, value in enumerate((0, 0, 160, 64)):
        page.fill(f"[data-end='{place}']", str(value))
    assert words(page, "query") == "Ruler: 15.1 mm (across 8.0, down 12.8)"
    before = page.get_attribute('[data-pane="query"] .ruler-line', "d")
    page.click("[data-do=in]")
    assert page.get_attribute('[data-pane="query"] .ruler-line', "d") != before, "zooms along"
    assert words(page, "query") == "Ruler: 15.1 mm (across 8.0, down 12.8)"

    draw(page, "case-0", (0.25, 0.5), (0.75, 0.5))
    assert words(page, "case-0").split()[2] == "px"
    assert "no pixel spacing" in page.inner_text("[data-part=ruler-note]")
    page.keyboard.press("m")
    assert page.is_hidden("[data-part=ruler]")
    assert words(page, "query").startswith("Ruler: 15.1 mm"), "the line stays"
    page.keyboard.press("m")
    page.click("[data-do=clear-ruler]")
    assert page.locator(".ruler-line").count() == 0


def test_the_end_of_a_line_is_moved_and_a_click_leaves_it(measured):
    page = measured.page
    for place, value in enumerate((80, 128, 240, 128)):
        page.fill(f"[data-end='{place}']", str(value))
    draw(page, "query", (0.75, 0.5), (0.5, 0.5))
    numbers = [int(page.input_value(f"[data-end='{place}']")) for place in range(4)]
    assert numbers == pytest.approx([80, 128, 160, 128], abs=2)
    said = words(page, "query")
    page.mouse.click(
        *(page.locator(PANE.format("query")).bounding_box()[each] + 9 for each in "xy")
    )
    assert words(page, "query") == said


def test_the_ruler_by_touch_in_px_where_the_file_has_no_spacing(visit):
    here = visit(width=390, height=844, has_touch=True)
    page = here.page
    here.example(0)
    here.done()
    page.tap("[data-do=ruler]")
    stage = page.locator(PANE.format("query"))
    stage.scroll_into_view_if_needed()
    touch = page.context.new_cdp_session(page)
    area = page.locator('[data-pane="query"] img').bounding_box()
    for kind, share in (("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.7)):
        point = {"x": area["x"] + share * area["width"], "y": area["y"] + area["height"] / 2}
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    length, unit = words(page, "query").split()[1:3]
    assert unit == "px"
    assert float(length) == pytest.approx(0.5 * 480, abs=4)
    assert "the file gives no pixel spacing" in page.inner_text("[data-part=ruler-note]")
    assert here.overflow() <= 0


def test_the_magnifier_stands_beside_the_pointer(case):
    page = case.page
    page.click("[data-do=fit]")
    page.click("[data-do=lens]")
    stage = page.locator(PANE.format("query"))
    stage.scroll_into_view_if_needed()
    area, lens = stage.bounding_box(), page.locator('[data-pane="query"] .lens')
    for x, y in ((0.05, 0.05), (0.5, 0.5), (0.95, 0.9)):
        at = area["x"] + x * area["width"], area["y"] + y * area["height"]
        page.mouse.move(*at)
        box = lens.bounding_box()
        assert not (
            box["x"] <= at[0] <= box["x"] + box["width"]
            and box["y"] <= at[1] <= box["y"] + box["height"]
        ), "it hides what is pointed at"
        assert box["x"] >= area["x"] - 1
        assert box["x"] + box["width"] <= area["x"] + area["width"] + 1
    shown, side = page.evaluate(LENS)
    left, top, width, height = (float(each.rstrip("px")) for each in shown.split())
    image = page.locator('[data-pane="query"] img').bounding_box()
    across, down = (at[0] - image["x"]) / image["width"], (at[1] - image["y"]) / image["height"]
    assert width == pytest.approx(2.5 * image["width"], abs=1)
    assert (side / 2 - left) / width == pytest.approx(across, abs=0.02)
    assert (side / 2 - top) / height == pytest.approx(down, abs=0.02)
    page.mouse.move(5, 5)
    page.focus(".jv")
    assert lens.is_visible(), "without a pointer: the middle of the chosen image"
    page.keyboard.press("z")
    assert lens.is_hidden()


def test_the_other_patient_is_laid_over_and_flickers(case):
    page = case.page
    page.click("[data-do=fit]")
    page.click('[data-pane="case-1"] [data-action=compare]')
    query = page.locator('[data-pane="query"]')
    over = query.locator(".over")
    title = query.locator(".pane-title")
    assert over.is_hidden()
    page.locator("[data-part=over]").fill("0.4")
    assert float(over.evaluate("n => n.style.opacity")) == 0.4
    other = page.locator('[data-pane="case-1"] img').get_attribute("src")
    assert over.evaluate("n => n.style.backgroundImage") == f'url("{other}")'
    assert "other patient over it: 40 %" in query.locator(".pane-note").inner_text()
    assert title.inner_text() == "This patient"
    page.focus(".jv")
    page.keyboard.press("f")
    assert float(over.evaluate("n => n.style.opacity")) == 1
    assert title.inner_text().startswith("Other patient #2")
    assert "is-over" in query.get_attribute("class"), "in the other patients' color"
    boxes = page.locator('[data-pane="query"] .overlay')
    assert float(boxes.evaluate("n => n.style.opacity")) == 0, "no box of one on the other"
    page.keyboard.press("f")
    assert float(over.evaluate("n => n.style.opacity")) == 0.4
    page.click("[data-do=flicker]")
    page.keyboard.press("Escape")
    assert over.is_hidden()
    assert title.inner_text() == "This patient"
    assert "is-over" not in query.get_attribute("class")
    assert float(boxes.evaluate("n => n.style.opacity")) == 1


def test_the_flicker_key_is_held_or_pressed(case):
    page = case.page
    page.click('[data-pane="case-1"] [data-action=compare]')
    page.focus(".jv")
    over = page.locator('[data-pane="query"] .over')
    page.keyboard.down("f")
    assert over.is_visible()
    page.wait_for_timeout(500)  # longer than a press
    page.keyboard.up("f")
    over.wait_for(state="hidden")
    page.keyboard.press("Escape")


def test_the_heat_map_s_opacity_is_chosen(case):
    page = case.page
    page.focus(".jv")
    page.keyboard.press("h")
    opacity = page.locator("[data-part=heat-opacity]")
    assert opacity.is_visible()
    assert float(page.locator(HEAT).evaluate("n => n.style.opacity")) == 1
    opacity.fill("0.35")
    assert float(page.locator(HEAT).evaluate("n => n.style.opacity")) == 0.35
    page.focus(".jv")
    page.keyboard.press("h")
    assert opacity.is_hidden()


def test_axe_finds_nothing_serious_with_all_tools_in_hand(case):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = case.page
    page.click('[data-pane="case-1"] [data-action=compare]')
    for name in ("ruler", "lens", "flicker", "heat"):
        page.click(f"[data-do={name}]")
    assert serious_faults(axe, page) == []
    assert case.overflow() <= 0
    for name in ("heat", "lens"):
        page.click(f"[data-do={name}]")
    page.keyboard.press("Escape")
