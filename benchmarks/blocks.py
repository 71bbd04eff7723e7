"""Generated blocks in pages that are otherwise written by hand, between two marks."""

from __future__ import annotations

from pathlib import Path


def replace_block(page: Path, name: str, block: str) -> None:
    """Put a block between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Args:
        page: a file with both marks, once each.
        name: of the block.
        block: what then stands between them.

    Raises:
        ValueError: if a mark is missing or stands there twice.
    """
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(
            f"'{page.name}' must hold the marks '{begin}' and '{end}' once each, found "
            f"{text.count(begin)} and {text.count(end)}; put them where the block is to stand"
        )
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n{block}\n{end}{after}", encoding="utf-8")
