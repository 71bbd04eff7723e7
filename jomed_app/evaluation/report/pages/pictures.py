"""Pictures: accuracy, how it depends on confidence and on agreement, and reliability.

matplotlib is a development need; it is imported when a picture is drawn.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jomed_app.evaluation.report.schema import EvaluationReport
from jomed_app.inference.calibration.reliability import wilson_interval
from jomed_app.types import ConsistencyState

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INCH_PER_SYSTEM = 0.4
PANELS_PER_ROW = 4
INK = "#1f2d3a"
LINES = ("-", "--", "-.", ":")
COVERAGE_SYSTEMS = ("backbone", "knn", "rag", "joint")
STATE_SYSTEMS = ("rag", "joint")
STATES = (ConsistencyState.CONSISTENT, ConsistencyState.MIXED, ConsistencyState.DISAGREE)


def draw_accuracy(report: EvaluationReport, path: Path) -> None:
    """Draw each system's accuracy with its 95 % interval, as SVG or PNG by the file's ending."""
    figure = new_figure(width=6.4, height=1.2 + INCH_PER_SYSTEM * len(report.systems))
    axes = figure.add_subplot()
    names = list(report.systems)
    accuracy = np.array([system.accuracy for system in report.systems.values()])
    ends = np.array([system.accuracy_ci for system in report.systems.values()]).T
    reach = np.clip([accuracy - ends[0], ends[1] - accuracy], 0, None)
    axes.barh(names, accuracy, xerr=reach, color="#9db8d2", ecolor=INK, capsize=3)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"accuracy, {report.task} {report.split}, n = {report.n}")
    save(figure, path)


def draw_reliability(report: EvaluationReport, path: Path) -> None:
    """Draw how often predictions were right against their stated probability, one panel each."""
    columns = min(PANELS_PER_ROW, len(report.systems))
    rows = math.ceil(len(report.systems) / columns)
    figure = new_figure(width=0.4 + 2.2 * columns, height=0.5 + 2.2 * rows)
    for place, (name, system) in enumerate(report.systems.items(), start=1):
        axes = figure.add_subplot(rows, columns, place, aspect="equal")
        table = system.reliability
        counts = list(zip(table.num_correct, table.counts, strict=True))
        shares = np.array([correct / count for correct, count in counts])
        ends = np.array([wilson_interval(correct, count) for correct, count in counts]).T
        reach = np.clip([shares - ends[0], ends[1] - shares], 0, None)
        axes.plot([0, 1], [0, 1], color="#888888", linestyle="--", linewidth=1)
        axes.errorbar(
            table.mean_probability, shares, yerr=reach, color=INK, marker="o", ms=4, capsize=2
        )
        axes.set(xlim=(0, 1.03), ylim=(0, 1.03))
        axes.set_title(f"{name}, ECE {system.ece:.3f}", fontsize="small")
    figure.supxlabel("stated probability of the predicted class", fontsize="small")
    figure.supylabel("share right (Wilson 95 %)", fontsize="small")
    save(figure, path)


def draw_coverage(report: EvaluationReport, path: Path) -> bool:
    """Draw the accuracy among the most confident cases against their share, one line a system.

    Args:
        report: its systems among `COVERAGE_SYSTEMS` are drawn.
        path: SVG or PNG by its ending.

    Returns:
        False, and nothing is drawn, where none of them has a curve (reports of schema 1).
    """
    curves = {
        name: (system.coverage, system.aurc)
        for name in COVERAGE_SYSTEMS
        for system in [report.systems.get(name)]
        if system and system.coverage
    }
    if not curves:
        return False
    figure = new_figure(width=6.4, height=3.6)
    axes = figure.add_subplot()
    for (name, (curve, area)), style in zip(curves.items(), LINES, strict=False):
        label = name if area is None else f"{name}, AURC {area:.3f}"
        axes.plot(curve.coverages, curve.accuracies, label=label, ls=style)
    axes.set(xlim=(0, 1), ylim=(None, 1.01))
    axes.set_xlabel(f"share of cases answered, most confident first, n = {report.n}")
    axes.set_ylabel("accuracy among them")
    axes.legend(fontsize="small")
    save(figure, path)
    return True


def draw_states(report: EvaluationReport, path: Path) -> bool:
    """Draw the error rate within each consistency state, with its interval and number of cases.

    Args:
        report: its systems among `STATE_SYSTEMS` are drawn.
        path: SVG or PNG by its ending.

    Returns:
        False, and nothing is drawn, where none of them has states.
    """
    drawn = {
        name: report.systems[name].error_rates
        for name in STATE_SYSTEMS
        if name in report.systems and set(STATES) & set(report.systems[name].error_rates)
    }
    if not drawn:
        return False
    figure = new_figure(width=6.4, height=3.6)
    axes = figure.add_subplot()
    for place, (name, rates) in enumerate(drawn.items()):
        shift = (place - (len(drawn) - 1) / 2) * 0.16
        found = [(number + shift, rates[state]) for number, state in enumerate(STATES)
                 if state in rates]  # fmt: skip
        heights = np.array([rate.rate for _, rate in found])
        ends = np.array([rate.interval for _, rate in found]).T
        reach = np.clip([heights - ends[0], ends[1] - heights], 0, None)
        places = [at for at, _ in found]
        axes.errorbar(places, heights, yerr=reach, marker="os"[place], ls="", capsize=3, label=name)
        for (at, rate), top in zip(found, ends[1], strict=True):
            axes.text(at, top + 0.015, str(rate.num_cases), ha="center", fontsize="small")
    axes.set_xticks(range(len(STATES)), [str(state) for state in STATES])
    axes.set(xlim=(-0.5, len(STATES) - 0.5), ylim=(0, 1.08))
    axes.set_xlabel("candidates of the case; numbers are cases")
    axes.set_ylabel("share wrong (Wilson 95 %)")
    axes.legend(fontsize="small")
    save(figure, path)
    return True


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, apart from any global state.

    Args:
        width: inches.
        height: inches.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure, the same bytes for the same content; SVG or PNG by the file's ending."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with _fixed_ids():
        figure.savefig(path, metadata=metadata)


def _fixed_ids() -> AbstractContextManager[None]:
    """Settings under which SVG element ids depend on the content only."""
    from matplotlib import rc_context

    return rc_context({"svg.hashsalt": "jomed", "svg.fonttype": "none"})
