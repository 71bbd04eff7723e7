"""The report on questions with free answers, schema `jomed.vqa/2`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field

from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion, VqaScores
from jomed_app.evaluation.metrics.intervals import Interval, paired_bootstrap
from jomed_app.evaluation.report.schema import Range, read_report_as
from jomed_app.types import Frozen

REFERENCE_SYSTEM = "rag"
TRAINED_SYSTEM = "joint"  # compared with the reference, which all others are compared with


class VqaSystemReport(Frozen):
    """Figures of one system; None where no question of that kind was asked."""

    open_recall: float | None = Field(description="token recall of the open questions")
    open_ci: Range | None = Field(description="95 % percentile bootstrap over images, as all _ci")
    closed_accuracy: float | None
    closed_ci: Range | None
    mean: float | None = Field(description="of open recall and closed accuracy")
    mean_ci: Range | None
    exact: float = Field(description="share of all questions answered word for word")


class VqaDifference(Frozen):
    """One system's mean minus another's, paired bootstrap over images."""

    first: str
    second: str
    difference: float | None
    ci: Range | None


class VqaSubset(Frozen):
    """Figures on some of the questions; without any question there is no system."""

    n: int = Field(description="questions")
    n_open: int
    n_closed: int
    n_groups: int = Field(description="images")
    systems: dict[str, VqaSystemReport] = Field(default_factory=dict)
    differences: tuple[VqaDifference, ...] = ()


class VqaReport(Frozen):
    """The whole report; schema 2 added `clean`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["jomed.vqa/1", "jomed.vqa/2"] = Field(default="jomed.vqa/2", alias="schema")
    task: str
    split: str
    n: int = Field(description="questions")
    n_open: int
    n_closed: int
    n_groups: int = Field(description="images")
    inconsistent_rate: float | None = Field(
        description="share of questions whose candidates lead to different answers"
    )
    inconsistent_score: float | None = Field(
        description="mean score (recall or right) of the reference system on those questions"
    )
    seconds_per_question: float | None
    seed: int
    num_resamples: int
    bundle: str
    index: str
    systems: dict[str, VqaSystemReport]
    differences: tuple[VqaDifference, ...] = ()
    clean: VqaSubset | None = Field(
        default=None,
        description="questions about images without a near-duplicate among the known ones; None "
        "where nobody looked, and in schema 1",
    )


def build_vqa_report(
    asked: Sequence[AnsweredQuestion],
    *,
    task: str,
    split: str,
    bundle: str,
    index: str,
    seconds: float | None = None,
    seed: int = 0,
    num_resamples: int = 1000,
) -> VqaReport:
    """Score all systems on the same questions.

    Args:
        asked: one or more; all with answers of the same systems.
        task: name of the task.
        split: name of the split.
        bundle: the reader, by name.
        index: the known images, by name.
        seconds: wall-clock of the whole reading, or None.
        seed: of the bootstrap.
        num_resamples: of the bootstrap, >= 1.

    Raises:
        ValueError: if there is no question, or one that lacks a system's answer.
    """
    if not asked:
        raise ValueError("a report needs one question or more, found none")
    whole = _subset(asked, seed, num_resamples)
    known = [one.is_inconsistent for one in asked if one.is_inconsistent is not None]
    split_up = [one for one in asked if one.is_inconsistent]
    is_scored = REFERENCE_SYSTEM in whole.systems and split_up
    looked = all(one.has_twin is not None for one in asked)
    alone = [one for one in asked if not one.has_twin]
    return VqaReport(
        task=task,
        split=split,
        n=whole.n,
        n_open=whole.n_open,
        n_closed=whole.n_closed,
        n_groups=whole.n_groups,
        inconsistent_rate=float(np.mean(known)) if known else None,
        inconsistent_score=(
            float(VqaScores(split_up, REFERENCE_SYSTEM).score.mean()) if is_scored else None
        ),
        seconds_per_question=None if seconds is None else seconds / len(asked),
        seed=seed,
        num_resamples=num_resamples,
        bundle=bundle,
        index=index,
        systems=whole.systems,
        differences=whole.differences,
        clean=_subset(alone, seed, num_resamples) if looked else None,
    )


def read_vqa_report(path: Path) -> VqaReport:
    """Read a report.

    Raises:
        RecordError: as `read_report_as`.
    """
    return read_report_as(VqaReport, path)


def _subset(asked: Sequence[AnsweredQuestion], seed: int, num_resamples: int) -> VqaSubset:
    """Score all systems on some questions."""
    if not asked:
        return VqaSubset(n=0, n_open=0, n_closed=0, n_groups=0)
    scores = {name: VqaScores(asked, name) for name in asked[0].answers}
    first = next(iter(scores.values()))
    return VqaSubset(
        n=len(asked),
        n_open=int((~first.is_closed).sum()),
        n_closed=int(first.is_closed.sum()),
        n_groups=len(set(first.groups)),
        systems={name: _system(each, seed, num_resamples) for name, each in scores.items()},
        differences=tuple(
            _difference(scores, *pair, seed, num_resamples) for pair in _pairs(list(scores))
        ),
    )


def _pairs(systems: Sequence[str]) -> list[tuple[str, str]]:
    """Which systems are compared: the reference with those before it, the trained one with it."""
    if REFERENCE_SYSTEM not in systems:
        return []
    trained = [(TRAINED_SYSTEM, REFERENCE_SYSTEM)] if TRAINED_SYSTEM in systems else []
    others = [name for name in systems if name not in (REFERENCE_SYSTEM, TRAINED_SYSTEM)]
    return [*((REFERENCE_SYSTEM, name) for name in others), *trained]


def _system(scores: VqaScores, seed: int, num_resamples: int) -> VqaSystemReport:
    found = [
        scores.interval(name, seed, num_resamples)
        for name in ("open_recall", "closed_accuracy", "mean")
    ]
    (recall, recall_ci), (accuracy, accuracy_ci), (mean, mean_ci) = map(_known, found)
    return VqaSystemReport(
        open_recall=recall,
        open_ci=recall_ci,
        closed_accuracy=accuracy,
        closed_ci=accuracy_ci,
        mean=mean,
        mean_ci=mean_ci,
        exact=float(scores.exact.mean()),
    )


def _difference(
    scores: dict[str, VqaScores], first: str, second: str, seed: int, num_resamples: int
) -> VqaDifference:
    found = paired_bootstrap(
        scores[first].mean,
        scores[second].mean,
        scores[first].groups,
        np.random.default_rng(seed),
        num_resamples=num_resamples,
    )
    value, ci = _known(found)
    return VqaDifference(first=first, second=second, difference=value, ci=ci)


def _known(found: Interval) -> tuple[float | None, Range | None]:
    """A figure and its interval, None for what the questions do not define."""
    value = None if math.isnan(found.value) else found.value
    return value, None if math.isnan(found.low) else (found.low, found.high)
