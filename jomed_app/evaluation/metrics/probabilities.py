"""How good stated probabilities are: one function per metric, all with the same two arguments.

`probabilities` is (N, C), rows summing to 1; `labels` is (N,) integers in [0, C). A metric that
the cases do not define (AUROC with one class only) is NaN, never a made-up number.

Letters in docstrings: N cases, C classes, L independent findings.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import f1_score, recall_score

from jomed_app.inference.calibration.reliability import checked_cases

MIN_PROBABILITY = 1e-12
ROUNDING = 1e-9  # 0.95 of 20 is 19, not 19.000000000000004


def accuracy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of cases whose most likely class is right, in [0, 1].

    Raises:
        ValueError: if there is no case or shapes and labels do not fit (so do all metrics).
    """
    rows, index = checked_cases(probabilities, labels)
    return float((rows.argmax(axis=1) == index).mean())


def balanced_accuracy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean recall over the classes that occur, in [0, 1]."""
    rows, index = checked_cases(probabilities, labels)
    return float(
        recall_score(
            index, rows.argmax(axis=1), labels=np.unique(index), average="macro", zero_division=0
        )
    )


def macro_f1(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean F1 over the classes that occur or are predicted, in [0, 1]."""
    rows, index = checked_cases(probabilities, labels)
    return float(f1_score(index, rows.argmax(axis=1), average="macro", zero_division=0))


def binary_auroc(probabilities: ArrayLike, labels: ArrayLike, positive: int) -> float:
    """Return the AUROC of one class against the rest, in [0, 1]; ties count one half.

    Ours: the rank-sum form, equal to scikit-learn's and fast enough for a bootstrap.

    Args:
        probabilities: (N, C).
        labels: (N,).
        positive: index of the class to be found, in [0, C).

    Returns:
        NaN when all cases, or none, are positive.

    Raises:
        ValueError: if the cases do not fit or positive lies outside [0, C).
    """
    rows, index = checked_cases(probabilities, labels)
    if not 0 <= positive < rows.shape[1]:
        raise ValueError(f"positive must lie in [0, {rows.shape[1]}), found {positive}")
    is_positive = index == positive
    if is_positive.all() or not is_positive.any():
        return math.nan
    num_positive = int(is_positive.sum())
    rank_sum = rankdata(rows[:, positive])[is_positive].sum()
    num_pairs = num_positive * (len(index) - num_positive)
    return float((rank_sum - num_positive * (num_positive + 1) / 2) / num_pairs)


def macro_auroc(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean one-versus-rest AUROC over classes that occur beside others, or NaN."""
    rows, index = checked_cases(probabilities, labels)
    present = np.unique(index)
    if len(present) < 2:
        return math.nan
    return float(np.mean([binary_auroc(rows, index, int(positive)) for positive in present]))


def binary_accuracy(probabilities: ArrayLike, labels: ArrayLike, positive: int) -> float:
    """Return the share of cases called right as positive or not, at p(positive) = 0.5."""
    folded, is_positive = to_binary(probabilities, labels, positive)
    return float(((folded[:, 1] >= 0.5) == is_positive).mean())


def sensitivity(probabilities: ArrayLike, labels: ArrayLike, positive: int) -> float:
    """Return the share of positive cases that get p(positive) >= 0.5, or NaN without any."""
    return _share_called_right(probabilities, labels, positive, of_positive=True)


def specificity(probabilities: ArrayLike, labels: ArrayLike, positive: int) -> float:
    """Return the share of negative cases that get p(positive) < 0.5, or NaN without any."""
    return _share_called_right(probabilities, labels, positive, of_positive=False)


def specificity_at_sensitivity(
    probabilities: ArrayLike, labels: ArrayLike, positive: int, target: float
) -> float:
    """Return the specificity at the strictest threshold that finds a share of the positives.

    The threshold is set on the very cases that are scored, so this tells how well the scores part
    the two sides, not what a threshold fixed beforehand will do.

    Args:
        probabilities: (N, C).
        labels: (N,).
        positive: index of the class to be found, in [0, C).
        target: sensitivity that must be reached, in (0, 1].

    Returns:
        The share of the negatives below the threshold; NaN without positives or without negatives.

    Raises:
        ValueError: as `to_binary`, or if target lies outside (0, 1].
    """
    if not 0 < target <= 1:
        raise ValueError(f"target must lie in (0, 1], found {target}")
    folded, is_positive = to_binary(probabilities, labels, positive)
    found = np.sort(folded[is_positive == 1, 1])[::-1]
    rest = folded[is_positive == 0, 1]
    if not found.size or not rest.size:
        return math.nan
    needed = math.ceil(target * found.size - ROUNDING)
    return float((rest < found[needed - 1]).mean())


def negative_log_likelihood(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean of -log p(true class), nats, >= 0; p is held above 1e-12."""
    rows, index = checked_cases(probabilities, labels)
    picked = np.maximum(rows[np.arange(len(index)), index], MIN_PROBABILITY)
    return float(-np.log(picked).mean())


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean squared distance to the one-hot truth, summed over classes, in [0, 2]."""
    rows, index = checked_cases(probabilities, labels)
    return float(np.square(rows - np.eye(rows.shape[1])[index]).sum(axis=1).mean())


def to_binary(
    probabilities: ArrayLike, labels: ArrayLike, positive: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Fold all classes but one together: (N, 2) with columns rest and positive, and (N,) 0 or 1.

    Raises:
        ValueError: if the cases do not fit or positive lies outside [0, C).
    """
    rows, index = checked_cases(probabilities, labels)
    if not 0 <= positive < rows.shape[1]:
        raise ValueError(f"positive must lie in [0, {rows.shape[1]}), found {positive}")
    folded = np.stack([1 - rows[:, positive], rows[:, positive]], axis=1)
    return folded, (index == positive).astype(np.intp)


def _share_called_right(
    probabilities: ArrayLike, labels: ArrayLike, positive: int, *, of_positive: bool
) -> float:
    """Share of one side of the fold that its 0.5 threshold calls right."""
    folded, is_positive = to_binary(probabilities, labels, positive)
    side = is_positive == int(of_positive)
    if not side.any():
        return math.nan
    return float(((folded[side, 1] >= 0.5) == of_positive).mean())
