"""Scripts and styles: they ask nobody, and the page names each of them."""

from __future__ import annotations

import pytest

from tests.ui.conftest import REPOSITORY

FILES = sorted((REPOSITORY / "jomed_app" / "ui" / "static").iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path):
    content = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    for outside in ("http://", "https://", "//cdn", "@import"):
        assert outside not in content


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_used(path):
    places = (
        "ui/layout/page.py",
        "ui/layout/mount.py",
        "server/starting/page.py",
        "server/pages/routes.py",
    )
    texts = [(REPOSITORY / "jomed_app" / each).read_text(encoding="utf-8") for each in places]
    assert any(f'"{path.name}"' in text for text in texts)
