"""Markdown pages: a template with the prose, tables of figures, figures as text.

A page is a Jinja2 template beside the module that works out its figures. Everything that comes from
data is escaped for HTML, in the template as in the cells of tables.
"""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

NOTHING = "–"
"""Shown where the cases or the system do not define a figure."""


def fill(template: Path, **values: Any) -> str:
    """Fill a page's template.

    Args:
        template: a Jinja2 file; a name that it uses and that is not given is an error.
        values: by name; text is escaped, what `table` returned is not.

    Returns:
        The page, ending in one line break.
    """
    page = _environment().from_string(template.read_text(encoding="utf-8"))
    return page.render(**values).rstrip("\n") + "\n"


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, words: Collection[int] = (0,)
) -> Markup:
    """Return a Markdown table, words on the left of their columns, figures on the right.

    Args:
        header: a title per column.
        rows: a cell per column each, made to text; one or more.
        words: positions of the columns that hold words.

    Raises:
        ValueError: if a row has more or fewer cells than there are titles, or there is no row.
    """
    import pandas as pd

    cells = [[_cell(each) for each in row] for row in rows]
    widths = {len(row) for row in cells}
    if widths != {len(header)}:
        raise ValueError(
            f"a table of {len(header)} columns needs one row or more of as many cells, found "
            f"{len(cells)} rows of {sorted(widths)}"
        )
    frame = pd.DataFrame(cells, columns=[_cell(each) for each in header])
    sides = ["left" if place in words else "right" for place in range(len(header))]
    text = frame.to_markdown(index=False, tablefmt="pipe", disable_numparse=True, colalign=sides)
    return Markup(text)  # nosec B704  # `_cell` escaped every cell


def number(value: float | None, digits: int = 3, sign: str = "") -> str:
    """A figure with fixed digits, a dash where there is none; `sign="+"` shows that it is added."""
    if value is None or math.isnan(value):
        return NOTHING
    return f"{value:{sign}.{digits}f}"


def with_range(
    value: float | None, interval: Sequence[float] | None, digits: int = 3, sign: str = ""
) -> str:
    """`value [low, high]`, without brackets where there is no interval."""
    if value is None or interval is None or math.isnan(value):
        return number(value, digits, sign)
    low, high = interval
    return f"{value:{sign}.{digits}f} [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def mean_and_spread(values: Sequence[float | None], digits: int = 3, sign: str = "") -> str:
    """Mean ± sample standard deviation of two values or more; the value where there is one.

    The deviation has a digit more, and equal values are called that: ± 0.000 would say nothing.
    """
    known = [value for value in values if value is not None and not math.isnan(value)]
    if len(known) < 2:
        return number(known[0] if known else None, digits, sign)
    if len(set(known)) == 1:
        return f"{known[0]:{sign}.{digits}f}, all equal"
    return f"{mean(known):{sign}.{digits}f} ± {stdev(known):.{digits + 1}f}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(  # nosec B701  # `finalize` escapes, as Markdown needs it
        autoescape=False,  # would escape quotation marks too, which Markdown shows as they are
        finalize=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _escaped(value: object) -> str:
    """What an expression in a template writes; tables are escaped already."""
    return value if isinstance(value, Markup) else html.escape(str(value), quote=False)


def _cell(value: object) -> str:
    """Text that can break neither the table nor the page around it."""
    return _escaped(value).replace("|", "\\|").replace("\n", " ")
