"""Bootstraps and McNemar: coverage, groups stay together, agreement with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from jomed_app.evaluation.metrics.intervals import (
    bootstrap_interval,
    mcnemar,
    paired_bootstrap,
    resample_groups,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_groups_are_drawn_whole() -> None:
    groups = ["a", "b", "a", "c", "b"]
    sizes = set()
    for index in resample_groups(groups, rng(), 50):
        names = np.asarray(groups)[index]
        assert (names == "a").sum() % 2 == 0
        assert (index == 0).sum() == (index == 2).sum()
        assert (index == 1).sum() == (index == 4).sum()
        sizes.add(len(index))
    assert len(sizes) > 1


def test_equal_seeds_give_equal_intervals() -> None:
    values = rng(1).normal(size=40)
    groups = [str(case) for case in range(40)]

    def interval(seed: int):
        return bootstrap_interval(lambda i: values[i].mean(), groups, rng(seed), num_resamples=50)

    assert interval(3) == interval(3)
    assert interval(3) != interval(4)


def test_bootstrap_covers_the_true_mean() -> None:
    held = []
    for seed in range(120):
        values = (rng(seed).random(60) < 0.7).astype(float)
        found = bootstrap_interval(
            lambda i, values=values: values[i].mean(),
            list(map(str, range(60))),
            rng(seed + 1000),
            num_resamples=200,
        )
        assert found.low <= found.value <= found.high
        held.append(found.low <= 0.7 <= found.high)
    assert np.mean(held) >= 0.89


def test_twins_widen_the_interval() -> None:
    half = (rng(5).random(50) < 0.7).astype(float)
    values = np.repeat(half, 4)
    apart = bootstrap_interval(lambda i: values[i].mean(), list(map(str, range(200))), rng(6))
    grouped = bootstrap_interval(
        lambda i: values[i].mean(), [str(case // 4) for case in range(200)], rng(6)
    )
    assert grouped.high - grouped.low > 1.6 * (apart.high - apart.low)


def test_pairing_narrows_the_interval() -> None:
    shared = rng(7).normal(size=100)
    first, second = shared + 0.1, shared
    groups = list(map(str, range(100)))
    found = paired_bootstrap(lambda i: first[i].mean(), lambda i: second[i].mean(), groups, rng(8))
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_resamples_without_a_figure_are_left_out() -> None:
    def only_with_first(index):
        return 1.0 if (index == 0).any() else np.nan

    found = bootstrap_interval(only_with_first, ["a", "b"], rng(), num_resamples=40)
    assert (found.value, found.low, found.high) == (1, 1, 1)
    nothing = bootstrap_interval(lambda index: np.nan, ["a"], rng(), num_resamples=5)
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_mcnemar_equals_the_binomial_test() -> None:
    first = np.array([1] * 9 + [0] * 2 + [1] * 30 + [0] * 5, dtype=bool)
    second = np.array([0] * 9 + [1] * 2 + [1] * 30 + [0] * 5, dtype=bool)
    found = mcnemar(first, second)
    assert (found.first_only, found.second_only) == (9, 2)
    assert found.p_value == pytest.approx(binomtest(9, 11).pvalue)
    assert found.p_value == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    assert mcnemar(second, first).p_value == pytest.approx(found.p_value)
    assert mcnemar(first, first).p_value == 1


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: list(resample_groups([], rng(), 5)), "one case or more"),
        (lambda: list(resample_groups(["a"], rng(), 0)), "num_resamples must be >= 1"),
        (lambda: bootstrap_interval(np.sum, ["a"], rng(), confidence=1), "confidence must lie"),
        (lambda: paired_bootstrap(np.sum, np.sum, [], rng()), "one case or more"),
        (lambda: mcnemar([True], [True, False]), "same cases"),
    ],
)
def test_errors_say_what_was_required(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()
