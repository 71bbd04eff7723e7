"""The page of frozen vision towers side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.metrics.intervals import bootstrap_interval
from jomed_app.evaluation.metrics.probabilities import (
    accuracy,
    balanced_accuracy,
    binary_auroc,
    macro_auroc,
)
from jomed_app.evaluation.report.pages.markdown import fill, number, table, with_range

Score = Callable[[Any, Any], float]
POSITIVE = "malignant"  # of BUSI; a set without it gets the mean over its classes
TITLES = {"breast": "BUSI, grouped folds", "derma": "HAM10000, train to val"}


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `summarize` kept."""
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        number_type=values["number_type"],
        figures=table(
            ["set", "tower", "features", "read by", "accuracy", "balanced accuracy", "AUROC"],
            [_row(job, reading) for job in values["jobs"] for reading in job["readings"]],
            words=(0, 1, 2, 3),
        ),
        speed=table(
            ["tower", "ms an image"],
            [[name, number(taken, 0)] for name, taken in values["speed"].items()],
        ),
        storage=_storage(values["storage"]),
    )


def summarize(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `run.main` measured, figures in place of what was said of every image."""
    return {
        **values,
        "jobs": [
            {
                "task": job["task"],
                "tower": job["tower"],
                "readings": [
                    {
                        "features": reading["features"],
                        "way": reading["way"],
                        "accuracy": figure(reading, accuracy),
                        "balanced_accuracy": figure(reading, balanced_accuracy),
                        "auroc": figure(reading, _auroc(job["classes"])),
                    }
                    for reading in job["readings"]
                ],
            }
            for job in values["jobs"]
        ],
        "storage": [
            {
                "storage": row["storage"],
                "mib": row["mib"],
                "median_shift": float(np.median(row["shift"])),
                "largest_shift": float(np.max(row["shift"])),
                "accuracy": figure(row["reading"], accuracy),
            }
            for row in values["storage"]
        ],
    }


def figure(reading: Mapping[str, Any], score: Score) -> list[float]:
    """[value, low, high]: a score's mean over the seeds, 95 % bootstrap over groups of images."""
    labels = np.array(reading["labels"])
    runs = [np.array(each) for each in reading["probabilities"]]

    def mean(index: NDArray[np.intp]) -> float:
        return float(np.mean([score(run[index], labels[index]) for run in runs]))

    rng = np.random.default_rng(0)
    found = bootstrap_interval(mean, reading["groups"], rng, num_resamples=300)
    return [found.value, found.low, found.high]


def _auroc(classes: Sequence[str]) -> Score:
    if POSITIVE not in classes:
        return macro_auroc
    place = list(classes).index(POSITIVE)
    return lambda probabilities, labels: binary_auroc(probabilities, labels, place)


def _row(job: Mapping[str, Any], reading: Mapping[str, Any]) -> list[object]:
    return [
        TITLES[job["task"]],
        job["tower"],
        reading["features"],
        reading["way"],
        *(_cell(reading[name]) for name in ("accuracy", "balanced_accuracy", "auroc")),
    ]


def _storage(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "Not measured."
    header = ["held as", "MiB", "median shift", "largest shift", "probe, accuracy"]
    cells = [
        [
            row["storage"],
            number(row["mib"], 1),
            number(row["median_shift"]),
            number(row["largest_shift"]),
            _cell(row["accuracy"]),
        ]
        for row in rows
    ]
    return table(header, cells)


def _cell(found: Sequence[float | None]) -> str:
    value, low, high = found
    return with_range(value, None if low is None or high is None else (low, high))
