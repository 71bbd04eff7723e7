"""The toolbar: one button per example, its picture inside the page."""

from __future__ import annotations

from jomed_app.ui import text
from jomed_app.ui.examples import Example
from jomed_app.ui.panels.top.toolbar import THUMBNAIL_PX, ExampleButton, Toolbar
from jomed_app.ui.templates import render
from tests.ui.fake_engine import png_bytes
from tests.ui.hostile import assert_shown_as_text
from tests.ui.test_images import decoded


def test_every_example_has_a_button_with_a_small_picture(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes())
    toolbar = Toolbar.of([Example(path, "Oval mass"), Example(path, "No mass")])
    assert [each.title for each in toolbar.examples] == ["Oval mass", "No mass"]
    assert max(decoded(toolbar.examples[0].picture).shape) == THUMBNAIL_PX
    html = render(toolbar)
    assert html.index('data-example="0"') < html.index("Oval mass") < html.index('data-example="1"')
    assert html.count("<small>simulated</small>") == 2
    assert html.count('data-link="a"') == 2, "the file's stem, which tells nothing of it"
    assert "Examples" not in render(Toolbar(()))


def test_the_file_picker_offers_what_can_be_read():
    accepted = text.ACCEPTED.split(",")
    assert {".dcm", ".png", ".jpg", ".tiff", "application/dicom"} <= set(accepted)
    assert f'accept="{text.ACCEPTED}"' in render(Toolbar(()))


def test_hostile_titles_are_shown_as_text():
    assert_shown_as_text(lambda words: Toolbar((ExampleButton(words, "data:,", words),)))
