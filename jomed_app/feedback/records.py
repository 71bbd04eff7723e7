"""What becomes of judgements: training records, and override and harm over time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jomed_app.feedback.judgement import Judgement

FLAT = (
    "reading", "case", "at", "app", "bundle", "index", "task", "positive", "search", "state",
    "answer", "probability", "verdict", "label", "truth",
)  # fmt: skip
OWN = (
    "category_before", "category_after", "probability_before", "probability_after", "acts_before",
    "acts_after",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


def as_jsonl(judgements: Iterable[Judgement]) -> str:
    """Return one JSON object a judgement and line, as it is kept."""
    return "".join(each.model_dump_json(by_alias=True) + "\n" for each in judgements)


def as_csv(judgements: Iterable[Judgement]) -> str:
    """Return a table with one row a judgement; marks of cases and boxes stand as words."""
    sheet = io.StringIO()
    table = csv.writer(sheet, lineterminator="\n")
    table.writerow([*FLAT, "reasons", "said", "similar", "not_similar", "places", *OWN, "effect"])
    for each in judgements:
        similar = [name for name, is_similar in each.similar.items() if is_similar]
        others = [name for name, is_similar in each.similar.items() if not is_similar]
        places = [
            f"{mark.label} {mark.score:.2f} {'right' if mark.is_right else 'wrong'}"
            for mark in each.places
        ]
        words = ["; ".join(part) for part in (each.reasons, [each.said], similar, others, places)]
        own = [getattr(each.own, name) if each.own else "" for name in OWN]
        row = [*(getattr(each, name) for name in FLAT), *words, *own, each.effect or ""]
        table.writerow([_safe(cell) for cell in row])
    return sheet.getvalue()


def _safe(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


@dataclass(frozen=True, slots=True)
class Period:
    """Judgements of one month.

    Attributes:
        name: such as 2026-12; "all" for all of them.
        num_judged: readings that were judged.
        num_overridden: of those, the answer not followed ("disagree").
        num_decided: of those, all but the unsure.
        num_compared: with an own read before the answer and a known diagnosis.
        num_harmed: of those, a right own read that became a wrong one.
        num_helped: of those, a wrong one that became right.
    """

    name: str
    num_judged: int
    num_overridden: int
    num_decided: int
    num_compared: int
    num_harmed: int
    num_helped: int

    @classmethod
    def of(cls, name: str, judgements: Sequence[Judgement]) -> Period:
        """Count the judgements of a period."""
        effects = [each.effect for each in judgements if each.effect is not None]
        return cls(
            name=name,
            num_judged=len(judgements),
            num_overridden=sum(each.is_override for each in judgements),
            num_decided=sum(each.verdict != "unsure" for each in judgements),
            num_compared=len(effects),
            num_harmed=effects.count("harm"),
            num_helped=effects.count("help"),
        )


def by_month(judgements: Sequence[Judgement]) -> list[Period]:
    """Return a period a month, in their order, and all of them last."""
    months = sorted({each.at[:7] for each in judgements})
    periods = [
        Period.of(month, [each for each in judgements if each.at[:7] == month]) for month in months
    ]
    return [*periods, Period.of("all", judgements)]
