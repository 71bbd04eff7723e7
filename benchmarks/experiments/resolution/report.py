"""The page of input sizes, token grids and ways of telling a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.metrics.intervals import Interval, bootstrap_interval
from jomed_app.evaluation.report.pages.markdown import fill, number, table, with_range

ENCODINGS = (
    "most probable bins",
    "expected around them",
    "expected over all",
    "greatest expected IoU",
    "dense head",
)


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `run.main` measured."""
    rows = [
        [
            job["size"],
            job["stride"],
            "{0} x {0}".format(job["size"] // int(job["stride"])),
            *(_cell(mean_iou(job["images"], name)) for name in ENCODINGS),
            number(job["ms_per_case"], 0),
        ]
        for job in sorted(values["jobs"], key=lambda job: (job["size"], -int(job["stride"])))
    ]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        steps=", ".join(map(str, sorted({job["steps"] for job in values["jobs"]}))),
        folds=", ".join(map(str, values["folds"])),
        figures=table(["input, px", "stride, px", "cells", *ENCODINGS, "ms per case"], rows),
    )


def mean_iou(images: Sequence[Mapping[str, Any]], encoding: str) -> Interval:
    """Mean IoU over lesions of one way of telling a box, 95 % bootstrap over groups of images.

    Args:
        images: with a lesion; a group and every encoding's IoU of each lesion.
        encoding: one of `ENCODINGS`.
    """
    return bootstrap_interval(
        partial(_mean_over_lesions, [image["ious"][encoding] for image in images]),
        [image["group"] for image in images],
        np.random.default_rng(0),
    )


def _mean_over_lesions(rows: Sequence[Sequence[float]], index: NDArray[np.intp]) -> float:
    """Mean IoU of all lesions of the images at these positions."""
    return float(np.mean([iou for place in index for iou in rows[place]]))


def _cell(found: Interval) -> str:
    return with_range(found.value, (found.low, found.high))
