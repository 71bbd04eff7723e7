"""The walkthrough shows every picture that is made for it, and they stay small."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from docs.images.make_screenshots import shots

DOCS = Path(__file__).resolve().parent.parent / "docs"
MOST_BYTES = 3 * 2**20


def test_every_picture_is_made_by_the_command_and_shown_in_its_order():
    page = (DOCS / "walkthrough.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]+\]\(images/([^)]+)\.png\)", page)
    assert shown == list(shots())


def test_pictures_have_the_size_of_their_window_and_are_small_together():
    paths = {name: DOCS / "images" / f"{name}.png" for name in shots()}
    for name, shot in shots().items():
        with Image.open(paths[name]) as picture:
            assert picture.size == shot.size, name
    assert sum(path.stat().st_size for path in paths.values()) < MOST_BYTES
