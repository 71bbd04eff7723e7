"""Pan by key, and the window of every image by right drag and by key, in Chromium."""

from __future__ import annotations

import pytest

from tests.ui.test_browser import browser, case, pytestmark, visit
from tests.ui.visit import PANE

__all__ = ["browser", "case", "pytestmark", "visit"]  # fixtures and marks, used by name

PANES = ("query", "case-0", "case-1", "case-2", "case-3", "case-9")
# Slope and intercept of the filter over an image; none is 1 and 0.
TONE = """pane => {
  const image = document.querySelector(`[data-pane="${pane}"] img`);
  const found = image.style.filter.match(/#([a-z0-9-]+)/);
  if (!found) return [1, 0];
  const curve = document.getElementById(found[1]).querySelector('feFuncG');
  return ['slope', 'intercept'].map((name) => Number(curve.getAttribute(name)));
}"""

UNFILTERED = "document.querySelector('[data-pane=query] img').style.filter === 'none'"


def tone(page, pane: str) -> list[float]:
    return page.evaluate(TONE, pane)


def notes(page, pane: str) -> str:
    return page.inner_text(f'[data-pane="{pane}"] .pane-note')


def drag(page, pane: str, across: float, down: float, button: str = "right") -> None:
    """Drag on an image by shares of its stage's sides."""
    stage = page.locator(PANE.format(pane))
    stage.scroll_into_view_if_needed()
    area = stage.bounding_box()
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + across * area["width"], y + down * area["height"], steps=4)
    page.mouse.up(button=button)


@pytest.fixture
def plain(case):
    """The shared case in its first view and window, whatever a test made of it."""
    page = case.page
    page.click("[data-do=fit]")
    page.focus(".jv")
    page.keyboard.press("Space")
    yield case
    if page.get_attribute("[data-do=link]", "aria-pressed") == "false":
        page.click("[data-do=link]")
    page.focus(".jv")
    page.keyboard.press("Space")


def test_shift_and_arrows_pan_all_linked_images(plain):
    page = plain.page

    def centers() -> list[str]:
        return [page.get_attribute(PANE.format(each), "data-center") for each in PANES]

    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowRight")
    x, y = map(float, centers()[0].split(","))
    assert x > 0.5
    assert y == 0.5
    assert len(set(centers())) == 1, "in step"
    page.keyboard.press("Shift+ArrowDown")
    assert float(centers()[0].split(",")[1]) > 0.5
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    assert set(centers()) == {"0.5000,0.5000"}
    assert page.get_attribute(".pane.is-selected", "data-pane") == "query", "no case was chosen"


def test_right_drag_changes_the_window_of_all_linked_images(plain):
    page = plain.page
    final = page.inner_text(".final")
    drag(page, "case-1", 0.25, 0.1)
    slope, intercept = tone(page, "case-1")
    assert 0 < slope < 1, "to the right: less contrast"
    assert 0.5 * slope + intercept < 0.5, "down: darker"
    assert tone(page, "case-3") == pytest.approx([slope, intercept])
    assert "window changed" in notes(page, "case-1")
    assert "display only" in page.text_content("[data-part=said]")
    page.wait_for_function(UNFILTERED)
    assert "window changed" in notes(page, "query"), "drawn by the server from all its values"
    assert page.inner_text(".final") == final
    page.keyboard.press("w")
    assert [tone(page, each) for each in PANES] == [[1, 0]] * len(PANES)
    assert "window changed" not in "".join(notes(page, each) for each in PANES)


def test_unlinked_it_is_one_image_and_a_double_press_takes_it_back(plain):
    page = plain.page
    first = page.get_attribute('[data-pane="query"] img', "src")
    page.click("[data-do=link]")
    drag(page, "case-0", -0.2, -0.1)
    slope, intercept = tone(page, "case-0")
    assert slope > 1
    assert 0.5 * slope + intercept > 0.5, "up: brighter"
    assert [tone(page, each) for each in PANES if each != "case-0"] == [[1, 0]] * 5
    assert page.get_attribute('[data-pane="query"] img', "src") == first
    page.click(PANE.format("case-0"), button="right", click_count=2)
    assert tone(page, "case-0") == [1, 0]


def test_the_window_by_key_is_that_of_the_chosen_image(plain):
    page = plain.page
    page.click("[data-do=link]")
    page.click(PANE.format("case-2"))
    page.keyboard.press(",")
    page.keyboard.press("<")
    slope, intercept = tone(page, "case-2")
    assert slope == pytest.approx(1 / 0.9)
    assert 0.5 * slope + intercept < 0.5
    assert tone(page, "case-1") == [1, 0]
    page.keyboard.press("w")
    assert tone(page, "case-2") == [1, 0]


def test_the_keys_are_in_the_sheet(plain):
    page = plain.page
    page.keyboard.press("?")
    keys = page.locator("[data-part=help] dt").all_inner_texts()
    page.keyboard.press("?")
    assert {"Shift + arrows", "right drag", "w", ", .", "< >"} <= set(keys)
