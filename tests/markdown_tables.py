"""Reading Markdown tables in tests, whatever their columns are padded to."""

from __future__ import annotations

import re


def unpadded(page: str) -> str:
    """The page with one space around every cell of its tables."""
    return re.sub(r"(?m)^\|.*\|$", lambda line: re.sub(r" *\| *", " | ", line[0]).strip(), page)


def cells(table: str) -> list[list[str]]:
    """Header and rows of one table, without the rule between them."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert all(set(cell) <= {":", "-"} for cell in split[1]), "the second line is a rule"
    return [split[0], *split[2:]]
