"""The Region tool of the viewer in the system's Chromium, on the screen of a machine."""

from __future__ import annotations

import pytest

from tests.ui.fake_engine import machine_screen_png
from tests.ui.test_browser import browser, pytestmark, visit
from tests.ui.visit import PANE

__all__ = ["browser", "pytestmark", "visit"]  # fixtures and marks, used by name

TOOLS = "[data-part=region]"
WORDS = "[data-part=region-words]"


def corners(page) -> list[int]:
    return [int(each.input_value()) for each in page.locator("[data-corner]").all()]


def note(page) -> str:
    return page.inner_text('[data-pane="query"] .pane-note')


def presses(page, selector: str, words: str) -> None:
    """Press a button and wait until the part it chooses was read to the end."""
    page.click(selector)
    page.wait_for_function(
        "words => document.querySelector('[data-part=region-words]').textContent === words",
        arg=words,
    )
    page.wait_for_function("document.querySelector('.status-text').textContent.startsWith('Done')")


def says(page, words: str) -> None:
    """Wait until the answer column says something; it is drawn after the status."""
    page.wait_for_function(
        "words => document.querySelector('#jomed-panel').innerText.includes(words)", arg=words
    )


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the query's image, from and to fractions of it."""
    area = page.locator('[data-pane="query"] img').bounding_box()
    at = [(area["x"] + u * area["width"], area["y"] + v * area["height"]) for u, v in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()


@pytest.fixture
def screen(visit):
    """A machine's screen, opened and read, with the tool shown by its key."""
    here = visit()
    here.upload("screen.png", machine_screen_png())
    here.done()
    here.page.focus(".jv")
    here.page.keyboard.press("r")
    return here


def test_whole_drawn_typed_and_back(screen):
    page = screen.page
    assert page.is_visible(TOOLS)
    assert page.get_attribute("[data-do=region]", "aria-expanded") == "true"
    found, size = corners(page), note(page)
    assert page.inner_text(WORDS) == "Read: a part (detected)."
    assert size.endswith(" of 1024 x 768 px")
    assert page.get_attribute("[data-region=found]", "aria-pressed") == "true"

    presses(page, "[data-region=whole]", "Read: the whole image.")
    assert corners(page) == [0, 0, 1024, 768]
    assert note(page) == "1024 x 768 px"
    assert page.get_attribute("[data-region=whole]", "aria-pressed") == "true"
    screen.unfold("elsewhere")
    says(page, "--region whole")

    page.click("[data-do=draw]")
    drag(page, (0.25, 0.25), (0.5, 0.75))
    drawn = corners(page)
    assert drawn == pytest.approx([256, 192, 512, 576], abs=3)
    line = page.locator(".region-line").bounding_box()
    image = page.locator('[data-pane="query"] img').bounding_box()
    assert line["width"] == pytest.approx(image["width"] / 4, abs=4)
    presses(page, "[data-do=read-region]", "Read: a part (set by hand).")
    assert corners(page) == drawn
    assert note(page) == f"{drawn[2] - drawn[0]} x {drawn[3] - drawn[1]} of 1024 x 768 px"
    assert page.locator(".region-line").count() == 0  # what is read is all that is shown
    assert page.get_attribute("[data-do=draw]", "aria-pressed") == "false"
    says(page, f"--region {','.join(map(str, drawn))}")

    typed = [100, 110, 420, 400]
    for field, value in zip(page.locator("[data-corner]").all(), typed, strict=True):
        field.fill(str(value))
    presses(page, "[data-do=read-region]", "Read: a part (set by hand).")
    page.wait_for_function(
        "document.querySelector('.is-query .pane-note').textContent.startsWith('320 x 290 ')"
    )
    assert corners(page) == typed

    presses(page, "[data-region=found]", "Read: a part (detected).")
    assert (corners(page), note(page)) == (found, size)
    page.wait_for_function("!document.querySelector('#jomed-panel').innerText.includes('--region')")
    page.focus(".jv")
    page.keyboard.press("r")
    assert not page.is_visible(TOOLS)


def test_a_part_that_does_not_lie_in_the_picture_changes_nothing(screen):
    page = screen.page
    before, final = note(page), page.inner_text(".final-name")
    page.locator("[data-corner='2']").fill("5000")
    page.click("[data-do=read-region]")
    page.wait_for_selector(".banner[role=alert]")
    said = page.inner_text(".banner[role=alert]")
    assert "A region must lie in the picture of 1024 x 768 px" in said
    assert (note(page), page.inner_text(".final-name")) == (before, final)
    presses(page, "[data-region=whole]", "Read: the whole image.")
    assert page.locator(".banner").count() == 0


def test_an_image_that_is_the_region_has_none_to_find(visit):
    here = visit()
    page = here.page
    here.example(0)
    page.wait_for_selector("[data-copy=json]")
    page.click("[data-do=region]")
    assert page.inner_text(WORDS) == "Read: the whole image."
    assert page.is_hidden("[data-region=found]")


def test_a_finger_draws_instead_of_scrolling(visit):
    here = visit(width=390, height=844, theme="light", has_touch=True)
    page = here.page
    here.upload("screen.png", machine_screen_png())
    here.done()
    page.click("[data-do=region]")
    assert here.overflow() <= 0
    action = "n => getComputedStyle(n).touchAction"
    assert page.locator(PANE.format("query")).evaluate(action) == "pan-x pan-y"
    page.click("[data-do=draw]")
    assert page.locator(PANE.format("query")).evaluate(action) == "none"


def test_a_choice_at_once_after_another_is_read_to_the_end(screen):
    """The run of the case before is still drawn when the next case's is to begin."""
    page = screen.page
    for turn in range(4):
        typed = [100, 110, 420 + turn, 400]
        for field, value in zip(page.locator("[data-corner]").all(), typed, strict=True):
            field.fill(str(value))
        page.click("[data-do=read-region]")
        page.wait_for_function(
            "said => document.querySelector('.is-query .pane-note').textContent.startsWith(said)",
            arg=f"{320 + turn} x 290 ",
        )
        presses(page, "[data-region=found]", "Read: a part (detected).")
