"""One line of a claim: a figure, its baseline in the same run, and what the two together say.

What a line says is worked out from its figures, so that no line can flatter. A report that is not
kept gives no line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.kept import KeptReports
from jomed_app.evaluation.report.pages.markdown import NOTHING, number, with_range
from jomed_app.evaluation.report.schema import EvaluationReport, read_report

Interval = Sequence[float] | None  # low, high


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a claim, as text.

    Attributes:
        what: was measured, of what.
        figure: and its interval in words, a dash where none is kept.
        count: how many cases, lesions or questions.
        baseline: of the same run, by name; reference: its figure.
        difference: figure minus reference, with its interval where one is kept.
        says: ahead, level or behind; with no interval of the difference, only which is higher.
        report: name of the kept report; page: with its section.
        part: name under which it is recorded what the line was measured with.
        is_headline: whether the README's table holds it.
    """

    what: str
    figure: str
    interval: str
    count: str
    baseline: str
    reference: str
    difference: str
    says: str
    report: str
    page: str
    part: str
    is_headline: bool = False

    def headline(self) -> Row:
        """The same, for the README's table too."""
        return replace(self, is_headline=True)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from.

    Attributes:
        report: name of the kept report.
        page: file of the page and its section, `breast.md#plain`.
        count: how many cases, in words.
        part: of the report, where another bundle or run was measured than in the rest.
    """

    report: str
    page: str
    count: str
    part: str = ""


def line(
    source: Source,
    what: str,
    value: float | None,
    reference: float | None,
    baseline: str,
    *,
    interval: Interval = None,
    difference: float | None = None,
    difference_interval: Interval = None,
    digits: int = 3,
    scale: float = 1.0,
    unit: str = "",
    lower_is_better: bool = False,
) -> Row:
    """Word a figure beside its baseline.

    Args:
        source: where it comes from.
        what: was measured.
        value: the figure; None where nobody computed it.
        reference: the baseline's; None where there is none.
        baseline: what the reference is.
        interval: of the figure, 95 %.
        difference: value minus reference, where a report holds it.
        difference_interval: of the difference, 95 %.
        digits: shown.
        scale: factor, 100 for percent.
        unit: behind each figure.
        lower_is_better: whether a smaller figure is ahead.
    """

    def shown(each: float | None, sign: str = "") -> str:
        text = number(None if each is None else scale * each, digits, sign)
        return text if text == NOTHING else text + unit

    gap, gap_text = difference, NOTHING
    if difference is not None:
        scaled = None if difference_interval is None else [scale * e for e in difference_interval]
        gap_text = with_range(scale * difference, scaled, digits, "+")
    elif value is not None and reference is not None:
        gap = value - reference
    ends = NOTHING
    if interval is not None and not any(map(math.isnan, interval)):
        ends = f"{shown(interval[0])} to {shown(interval[1])}"
    return Row(
        what=what,
        figure=shown(value),
        interval=ends,
        count=source.count,
        baseline=baseline,
        reference=shown(reference),
        difference=gap_text,
        says=_says(gap, difference_interval, lower_is_better),
        report=source.report,
        page=source.page,
        part=source.part or source.report,
    )


def _says(gap: float | None, interval: Interval, lower_is_better: bool) -> str:
    """What a difference and its interval allow to say."""
    if gap is None or math.isnan(gap):
        return NOTHING
    sign = -1 if lower_is_better else 1
    if interval is None:
        word = "equal" if gap == 0 else "better" if sign * gap > 0 else "worse"
        return f"{word}, no interval kept"
    low, high = sorted(sign * each for each in interval)
    return "ahead" if low > 0 else "behind" if high < 0 else "level"


def against_goal(
    source: Source,
    what: str,
    value: float,
    goal: float,
    *,
    digits: int,
    unit: str,
    lower_is_better: bool,
    interval: str = NOTHING,
) -> Row:
    """Word a figure beside a goal that was set for it."""
    is_met = value <= goal if lower_is_better else value >= goal
    return Row(
        what=what,
        figure=f"{value:.{digits}f}{unit}",
        interval=interval,
        count=source.count,
        baseline="goal",
        reference=f"{goal:g}{unit}",
        difference=NOTHING,
        says="met" if is_met else "missed",
        report=source.report,
        page=source.page,
        part=source.part or source.report,
    )


class Evaluated:
    """Lines from one kept report of the evaluation.

    Args:
        kept: the reports.
        name: of the report; without it no line is made.
        page: its page and section.
    """

    def __init__(self, kept: KeptReports, name: str, page: str) -> None:
        self.report: EvaluationReport | None = None
        if kept.path(name).is_file():
            self.report = read_report(kept.path(name))
        count = f"{self.report.n} cases" if self.report else ""
        self.source = Source(name, page, count)

    def row(
        self, what: str, system: str, baseline: str, metric: str = "accuracy", *, label: str = ""
    ) -> list[Row]:
        """A figure of one system beside another's, with their difference where it is kept.

        Args:
            what: was measured; the system's name is added.
            system: whose figure it is.
            baseline: whose figure stands beside it.
            metric: a figure of `SystemReport`; `recall` needs the label.
            label: of the recall.

        Returns:
            One line, or none where the report does not hold both.
        """
        report = self.report
        if report is None or not {system, baseline} <= report.systems.keys():
            return []
        first, second = report.systems[system], report.systems[baseline]
        if metric == "recall":
            value, reference = first.recall.get(label), second.recall.get(label)
        else:
            value, reference = getattr(first, metric), getattr(second, metric)
        found = next(
            (
                each
                for each in report.differences
                if (each.first, each.second) == (system, baseline)
                and (each.metric, each.subset) == (metric, "all")
            ),
            None,
        )
        return [
            line(
                self.source,
                f"{what}: `{system}`",
                value,
                reference,
                f"`{baseline}`",
                interval=getattr(first, f"{metric}_ci", None),
                difference=found.difference if found else None,
                difference_interval=found.ci if found else None,
                lower_is_better=metric in ("nll", "brier", "ece", "aurc"),
            )
        ]
