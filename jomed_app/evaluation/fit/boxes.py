"""Fit how sure a box is, and from which score on it is drawn, on out-of-fold readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from jomed_app.boxes import Box
from jomed_app.evaluation.fit.settings import Fitted
from jomed_app.evaluation.held_out import HeldOutCase, Located
from jomed_app.evaluation.metrics.froc import mark_true_boxes, operating_points
from jomed_app.inference.calibration.box_score import BoxScore, box_logits, finding_probability
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.conclusion.evidence import stack

FALSE_PER_NORMAL = 0.15  # ours: boxes drawn on images without a lesion, at most
CONFIDENCE = 0.8  # ours: that this is kept on images not fitted on
RIDGE = 1e-2  # ours: keeps weights finite where boxes are all true or all false
MOST_WEIGHT = 10.0


def fit_box_score(parts: ArrayLike, is_true: ArrayLike) -> BoxScore:
    """Fit by logistic regression; no part's weight is below 0.

    Ours: so that a surer part never makes a box less sure.

    Args:
        parts: (N, 3) probabilities of a finding: final answer, presence, dense score.
        is_true: (N,) whether the box covers a lesion.

    Raises:
        ValueError: if there is no case or shapes do not fit.
    """
    from scipy.optimize import minimize  # fits only; an answer starts without it

    values, truth = np.asarray(parts, dtype=np.float64), np.asarray(is_true, dtype=np.float64)
    if values.shape != (len(truth), 3) or not len(truth):
        raise ValueError(
            f"one or more boxes must have three parts and a truth value each, found {values.shape} "
            f"and {truth.shape}"
        )
    columns = np.array([(1.0, *box_logits(*row)) for row in values])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = columns @ weights
        each = np.logaddexp(0, logits) - truth * logits
        slope = columns.T @ (expit(logits) - truth) / len(truth) + 2 * RIDGE * weights
        return float(each.mean() + RIDGE * np.square(weights).sum()), slope

    bounds = [(-MOST_WEIGHT, MOST_WEIGHT), *[(0.0, MOST_WEIGHT)] * 3]
    found = minimize(loss, np.zeros(4), jac=True, bounds=bounds, method="L-BFGS-B")
    bias, finding, presence, dense = (float(each) for each in found.x)
    return BoxScore(bias=bias, finding=finding, presence=presence, dense=dense)


def threshold_for_normals(
    scores: ArrayLike,
    is_normal: ArrayLike,
    rate: float = FALSE_PER_NORMAL,
    confidence: float = CONFIDENCE,
) -> float:
    """Return the lowest score from which on few enough boxes are drawn on normal images.

    Source: risk-controlling prediction sets, arXiv:2101.02703, with the exact binomial bound: as
    many boxes are allowed as would be drawn with a probability of at most 1 - `confidence` if their
    true rate were `rate`. A threshold that keeps to the rate on the fitted images alone passes it
    on half of the collections it meets.

    Args:
        scores: (N,) in [0, 1], of one box per image.
        is_normal: (N,) whether the image holds no lesion.
        rate: boxes per normal image, at most, in [0, 1].
        confidence: that the rate is kept on images not fitted on, in [0, 1).

    Returns:
        A score that occurs; 1 when none keeps to the rate. Where there are too few normal images to
        promise it, none of them gets a box.
    """
    from scipy.stats import binom  # fits only; an answer starts without it

    values, normal = np.asarray(scores, dtype=np.float64), np.asarray(is_normal, dtype=bool)
    drawn = values[normal]
    is_sure = binom.cdf(np.arange(len(drawn) + 1), len(drawn), rate) <= 1 - confidence
    allowed = len(drawn) if rate >= 1 else max(0, int(is_sure.sum()) - 1)
    kept = [t for t in np.unique(values) if (drawn >= t).sum() <= allowed]
    return float(min(kept, default=1.0))


def with_box_score(
    fitted: Fitted,
    cases: Sequence[HeldOutCase],
    references: Sequence[Sequence[Box]],
    empty: Sequence[int],
) -> Fitted:
    """Add to what was fitted how sure boxes are, from which score on they are drawn, and the table.

    Where the localizer was not asked, or no image holds a lesion, nothing changes.

    Args:
        fitted: for the final probability.
        cases: the same cases, with what the localizer says.
        references: true boxes per case, px.
        empty: indexes of the labels without a finding.
    """
    asked = [(case, true) for case, true in zip(cases, references, strict=True) if case.located]
    found = [
        (case, case.located, case.located.box, true)
        for case, true in asked
        if case.located is not None and case.located.box is not None
    ]
    if not found or not any(true for *_, true in found):
        return fitted
    final = conclude(stack([case.evidence for case, *_ in found]), fitted.profile).probabilities
    parts = [
        _parts(row, empty, located) for row, (_, located, *_) in zip(final, found, strict=True)
    ]
    truth = [true for *_, true in found]
    boxes = [(box,) for _, _, box, _ in found]
    marked = mark_true_boxes(boxes, [(0.0,)] * len(found), truth)
    score = fit_box_score(parts, marked.is_true)
    scores = [score.of(*row) for row in parts]
    missed = sum(
        len(true) for case, true in asked if case.located is not None and case.located.box is None
    )
    marked = replace(marked, scores=np.array(scores), num_lesions=marked.num_lesions + missed)
    score = score.model_copy(update={"operating_points": operating_points(marked)})
    threshold = threshold_for_normals(scores, [not true for true in truth])
    profile = fitted.profile.with_settings(box_threshold=threshold)
    calibration = profile.calibration.model_copy(update={"boxes": score})
    return replace(fitted, profile=profile.model_copy(update={"calibration": calibration}))


def _parts(
    probabilities: NDArray[np.float64], empty: Sequence[int], located: Located
) -> tuple[float, float, float]:
    """What `BoxScore.of` weighs: final probability of a finding, presence, dense score."""
    return finding_probability(probabilities, empty), located.presence, located.dense
