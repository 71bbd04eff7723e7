"""Vocabulary, distributions and their overlap."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.simulator.descriptors import (
    KINDS,
    LABELS,
    VOCABULARY,
    descriptor_bayes_accuracy,
    draw_descriptors,
    draw_kind,
    label_frequencies,
)

MASSES = [name for name, kind in KINDS.items() if kind.variants]


def test_shares_and_weights_are_distributions() -> None:
    assert sum(kind.share for kind in KINDS.values()) == pytest.approx(1)
    for name in MASSES:
        assert sum(variant.share for variant in KINDS[name].variants) == pytest.approx(1)
        for variant in KINDS[name].variants:
            assert set(variant.weights) == set(VOCABULARY)
            for descriptor, weights in variant.weights.items():
                assert len(weights) == len(VOCABULARY[descriptor])
                assert sum(weights) == pytest.approx(1)


def test_default_mix_of_labels() -> None:
    shares = dict.fromkeys(LABELS, 0.0)
    for kind in KINDS.values():
        shares[kind.label] += kind.share
    assert shares == pytest.approx({"normal": 0.2, "benign": 0.45, "malignant": 0.35})
    rng = np.random.default_rng(0)
    drawn = [KINDS[draw_kind(rng)].label for _ in range(4000)]
    for label, share in shares.items():
        assert drawn.count(label) / 4000 == pytest.approx(share, abs=0.03)


def test_a_case_without_mass_has_no_descriptors() -> None:
    assert draw_descriptors(np.random.default_rng(0), "normal") == ("", {})


@pytest.mark.parametrize("kind", MASSES)
def test_drawn_descriptors_follow_the_vocabulary(kind: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        _, found = draw_descriptors(rng, kind)
        assert list(found) == list(VOCABULARY)
        assert all(found[name] in VOCABULARY[name] for name in VOCABULARY)
        if found["margin"] in ("spiculated", "angular"):
            assert found["shape"] == "irregular"


def test_best_accuracy_from_descriptors_is_neither_perfect_nor_poor() -> None:
    assert 0.86 <= descriptor_bayes_accuracy(include_normal=False) <= 0.93
    assert 0.88 <= descriptor_bayes_accuracy() <= 0.93


def test_exact_accuracy_agrees_with_a_frequency_table_of_draws() -> None:
    """A rule learned on one half of many draws scores about the exact figure on the other half."""
    rng = np.random.default_rng(2)
    counts: dict[tuple[str, ...], list[int]] = {}
    right = tested = 0
    for index in range(9000):
        kind = draw_kind(rng)
        if kind == "normal":
            continue
        key = tuple(draw_descriptors(rng, kind)[1].values())
        malignant = KINDS[kind].label == "malignant"
        seen = counts.setdefault(key, [0, 0])
        if index < 6000:
            seen[malignant] += 1
        else:
            tested += 1
            right += (seen[1] > seen[0]) == malignant
    assert right / tested == pytest.approx(descriptor_bayes_accuracy(False), abs=0.04)


def test_labels_overlap_in_every_descriptor() -> None:
    frequencies = label_frequencies()
    for label in ("benign", "malignant"):
        for values in frequencies[label].values():
            assert sum(values.values()) == pytest.approx(1)
    assert 0.03 < frequencies["malignant"]["margin"]["circumscribed"] < 0.2
    assert 0.05 < frequencies["malignant"]["shape"]["oval"] < 0.3
    assert 0.03 < frequencies["benign"]["shape"]["irregular"] < 0.3
    assert 0.05 < frequencies["benign"]["margin"]["indistinct"] < 0.3
