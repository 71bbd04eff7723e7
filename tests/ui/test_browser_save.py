"""The menu "Save", in the system's Chromium: its files are those of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jomed_app.cli import main as cli
from jomed_app.export.kinds import KINDS
from jomed_app.ui.panels.diagnosis.save import SHOWN
from tests.ui.fake_engine import png_bytes
from tests.ui.test_browser import browser, pytestmark, serious_faults
from tests.ui.visit import Visit

__all__ = ["browser", "pytestmark"]  # fixtures and marks, used by name
MENU = "details.save-menu"


@pytest.fixture(scope="module")
def here(browser, site) -> Iterator[Visit]:
    visit = Visit(browser, site, accept_downloads=True)
    visit.upload("DOE_JOHN.png", png_bytes(6))
    visit.done()
    yield visit
    visit.leave()


def save(here: Visit, kind: str, folder: Path) -> Path:
    """Choose a kind in the menu; the file that the browser keeps, under the name it was given."""
    menu = here.page.locator(MENU)
    if menu.get_attribute("open") is None:
        menu.locator("summary").click()
    with here.page.expect_download() as caught:
        menu.locator(f'[data-save="{kind}"]').click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def test_every_file_equals_the_command_lines(here, tmp_path, log_elsewhere, capsys):
    saved = {kind: save(here, kind, tmp_path) for kind in SHOWN}
    for kind, path in saved.items():
        assert path.name == f"jomed-case{KINDS[kind].suffix}"
    image = tmp_path / "image.png"
    image.write_bytes(png_bytes(6))
    words = ["replay", str(saved["json"]), "--image", str(image), "--out", str(tmp_path / "again")]
    assert cli.main(words) == 0, capsys.readouterr().err
    for kind, path in saved.items():
        again = tmp_path / "again" / f"case{KINDS[kind].suffix}"
        assert path.read_bytes() == again.read_bytes(), kind
    here.page.wait_for_function(
        "document.querySelector('.save-said').textContent.startsWith('Saved: jomed-case')"
    )


def test_the_menu_opens_and_is_used_by_keyboard(here, tmp_path):
    menu = here.page.locator(MENU)
    menu.locator("summary").focus()
    if menu.get_attribute("open") is None:
        here.page.keyboard.press("Enter")
    assert menu.get_attribute("open") is not None
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert serious_faults(axe, here.page) == []
    here.page.keyboard.press("Tab")
    assert here.page.evaluate("document.activeElement.dataset.save") == SHOWN[0]
    with here.page.expect_download():
        here.page.keyboard.press("Enter")


def test_a_case_that_is_gone_is_a_sentence(browser, site):
    visit = Visit(browser, site)
    visit.upload("image.png", png_bytes(7))
    visit.done()
    visit.page.evaluate("document.querySelector('[data-case]').dataset.case = 'another'")
    visit.page.locator(f"{MENU} summary").click()
    visit.page.locator(f'{MENU} [data-save="csv"]').click()
    visit.page.wait_for_function(
        "document.querySelector('.save-said').textContent.startsWith('A case can be saved once')"
    )
    visit.leave()
