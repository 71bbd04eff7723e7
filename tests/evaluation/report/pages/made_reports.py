"""Reports of made-up scores, for the pages."""

from __future__ import annotations

from jomed_app.evaluation.report.build import build_report
from jomed_app.evaluation.report.schema import EvaluationReport
from tests.evaluation.report.synthetic_scores import LABELS, make_cases


def make_report(seed: int = 0, count: int = 30, **changes: object) -> EvaluationReport:
    """A report on a labelled split; `changes` are those of `build_report`."""
    fixed = {
        "task": "breast",
        "split": "test",
        "labels": LABELS,
        "positive_label": "malignant",
        "bundle": "bundle 1/a",
        "index": "simulated",
        "seed": seed,
        "num_resamples": 20,
    }
    return build_report(make_cases(count, seed=seed), **{**fixed, **changes})


def of_folds(report: EvaluationReport, **changes: object) -> EvaluationReport:
    """The same as one that was read in folds."""
    return report.model_copy(update={"split": "5-fold", "index": "other-folds", **changes})
