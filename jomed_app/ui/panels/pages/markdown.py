"""The one door to markdown-it-py: text that a bundle brings, as HTML without anything of its own.

HTML in the text is shown as text, pictures are left out: a page asks nobody else for anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt


@dataclass(frozen=True, slots=True)
class Marked:
    """HTML made of Markdown; a template shows it as it is.

    Attributes:
        html: escaped already.
    """

    html: str

    def __html__(self) -> str:
        """Return the HTML; Jinja asks for it instead of escaping."""
        return self.html


def marked(text: str) -> Marked:
    """Return CommonMark with tables as HTML; headings begin two levels lower, below a page's own.

    Args:
        text: from a file that lies beside weights; not trusted.
    """
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1:]) + 2)}"
        if token.type == "th_open":
            token.attrSet("scope", "col")
    return Marked(str(parser.renderer.render(tokens, parser.options, {})))


@lru_cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
