"""Two recipes, same held-out cases: what a shorter one gives up.

Run: python -m benchmarks.experiments.recipes.run RUN OTHER --data DIR
Both runs were trained and their folds read (`train all`); what was read is kept, so nothing is
trained here and no reader is asked, only the localizers look at the images again. Both must hold
out the same cases. Writes docs/results/recipes.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.runs import kept_readings, measured_on, open_run
from benchmarks.write_results import publish
from jomed_app.config.load import config_to_dict
from jomed_app.evaluation.folds.cross_validate import conclude_folds, fit_others
from jomed_app.evaluation.metrics.intervals import mcnemar, paired_bootstrap
from jomed_app.evaluation.report.scores import CaseScores, ScoreTable
from jomed_app.training.run.workspace import Workspace

SECTIONS = ("simulation", "align", "train_reader", "train_localizer", "train_retriever")


def differing_settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Settings of training that two resolved configurations tell apart, by dotted name."""

    def walk(one: Any, other: Any, name: str) -> Iterator[tuple[str, list[Any]]]:
        if isinstance(one, dict) and isinstance(other, dict):
            for key in sorted({*one, *other}):
                yield from walk(one.get(key), other.get(key), f"{name}.{key}")
        elif one != other and not name.endswith(".data"):
            yield name, [one, other]

    return {
        name: values
        for section in SECTIONS
        for name, values in walk(first.get(section), second.get(section), section)
    }


def compare(
    first: Sequence[CaseScores], second: Sequence[CaseScores], num_classes: int, positive: int
) -> dict[str, dict[str, Any]]:
    """Every shared system's accuracy in both runs, and the difference on the same cases.

    Args:
        first: held-out cases of one run.
        second: the same cases, in any order, of the other.
        num_classes: of the task.
        positive: index of the class that AUROC is about.

    Raises:
        ValueError: if the runs held out different cases.
    """
    by_id = {case.case_id: case for case in second}
    if by_id.keys() != {case.case_id for case in first}:
        raise ValueError(
            f"both runs must hold out the same cases, found {len(first)} and {len(second)} that "
            "are not the same; train both with the same data and fold_seed"
        )
    tables = [
        ScoreTable(cases, num_classes, positive)
        for cases in (first, [by_id[case.case_id] for case in first])
    ]
    everything = np.arange(len(first))
    rows = {}
    for name in tables[0].systems:
        if name not in tables[1].systems:
            continue
        right = [table.is_correct(name) for table in tables]
        gain = paired_bootstrap(
            tables[1].metric(name, "accuracy", everything),
            tables[0].metric(name, "accuracy", everything),
            tables[0].groups,
            np.random.default_rng(0),
        )
        test = mcnemar(*right)
        rows[name] = {
            "accuracy": [float(each.mean()) for each in right],
            "difference": gain.value,
            "interval": [gain.low, gain.high],
            "only_right": [test.first_only, test.second_only],
            "p": test.p_value,
        }
    return rows


def _conclude(run: Path, data: Path) -> tuple[Workspace, list[CaseScores]]:
    work = open_run(run, data)
    kind, read = kept_readings(work)
    trained = kind.joint(0)
    settings = fit_others(read, trained) if trained in read.raw else []
    return work, conclude_folds(work, kind, read, fit_others(read, kind.name), settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Conclude both runs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    (work, first), (other, second) = (
        _conclude(run, chosen.data) for run in (chosen.run, chosen.other)
    )
    values = {
        "runs": [work.root.resolve().name, other.root.resolve().name],
        "task": work.task.name,
        "n": len(first),
        "settings": differing_settings(config_to_dict(work.config), config_to_dict(other.config)),
        "systems": compare(first, second, len(work.task.labels), work.task.positive_index),
    }
    publish("recipes", values, measured_on(chosen.run, chosen.other))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
