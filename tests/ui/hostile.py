"""Hostile words for every panel, and the proof that they are shown as words."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from jomed_app.ui.templates import Panel, render

HOSTILE = "</p><script>alert('x')</script><img src=x onerror=alert(1)> \" ' &lt; {{ 7 * 7 }} {% x"
PLAIN = "word"
WITHOUT_END = {"img", "input", "br", "hr", "link", "meta"}


class _Tree(HTMLParser):
    """The elements, attributes and texts of a piece of HTML, as nested lists."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.top: list[Any] = []
        self._open = [("", self.top)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        content: list[Any] = []
        self._open[-1][1].append([tag, attrs, content])
        if tag not in WITHOUT_END:
            self._open.append((tag, content))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop()[0], f"</{tag}> ends what was not begun"

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._open[-1][1].append(" ".join(data.split()))

    def close(self) -> None:
        super().close()
        assert len(self._open) == 1, f"<{self._open[-1][0]}> has no end"


def tree_of(html: str) -> list[Any]:
    """Return HTML as nested lists of [tag, attributes, content]; every element must be closed."""
    tree = _Tree()
    tree.feed(html)
    tree.close()
    return tree.top


def assert_shown_as_text(make: Callable[[str], Panel]) -> None:
    """Check that a panel made with hostile words is one made with a plain word, but for the words.

    Args:
        make: words -> panel; the words in every place where something foreign can stand.
    """
    plain, hostile = tree_of(render(make(PLAIN))), tree_of(render(make(HOSTILE)))
    assert PLAIN in str(plain), "the words must be shown"
    assert _with_plain_words(hostile) == plain


def _with_plain_words(part: Any) -> Any:
    """Return the tree with the hostile words replaced: as written, in capitals and in JSON."""
    if isinstance(part, str):
        part = part.replace(HOSTILE, PLAIN).replace(HOSTILE.upper(), PLAIN.upper())
        return part.replace(json.dumps(HOSTILE)[1:-1], PLAIN)
    if isinstance(part, list | tuple):
        return type(part)(map(_with_plain_words, part))
    return part
