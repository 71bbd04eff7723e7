"""BI-RADS descriptors of a mass and how often each kind of lesion shows them.

Ours: the tables are chosen to resemble the published order of frequencies (a spiculated margin is
typical of carcinoma, a circumscribed oval mass of fibroadenoma, an anechoic one of a cyst) with an
overlap that leaves a perfect reader of the descriptors alone at 88 of 100 lesions.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

LABELS = ("normal", "benign", "malignant")
VOCABULARY: dict[str, tuple[str, ...]] = {
    "shape": ("oval", "round", "irregular"),
    "orientation": ("parallel", "vertical"),
    "margin": ("circumscribed", "indistinct", "angular", "microlobulated", "spiculated"),
    "echo": ("anechoic", "hypoechoic", "isoechoic", "hyperechoic", "complex", "heterogeneous"),
    "posterior": ("none", "enhancement", "shadowing", "combined"),
    "calcifications": ("absent", "present"),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a kind of lesion: its share and its distribution per descriptor.

    Attributes:
        name: what the form is called.
        share: probability within the kind, (0, 1].
        weights: descriptor -> probability per value, in the order of `VOCABULARY`.
    """

    name: str
    share: float
    weights: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of case: label, share of the default mix, size and forms.

    Attributes:
        label: one of `LABELS`.
        share: probability in the default mix.
        median_width: median lesion width as a fraction of the field's width.
        spread: standard deviation of the log of the width.
        mean_depth: mean depth of the lesion's centre as a fraction of the field's height.
        variants: its forms; empty when there is no lesion.
    """

    label: str
    share: float
    median_width: float
    spread: float
    mean_depth: float
    variants: tuple[Variant, ...]


KINDS: dict[str, Kind] = {
    "normal": Kind("normal", 0.20, 0.0, 0.0, 0.0, ()),
    "cyst": Kind(
        "benign",
        0.15,
        0.20,
        0.55,
        0.31,
        (
            Variant(
                "simple",
                0.7,
                {
                    "shape": (0.68, 0.30, 0.02),
                    "orientation": (0.92, 0.08),
                    "margin": (0.95, 0.03, 0.0, 0.02, 0.0),
                    "echo": (0.97, 0.03, 0.0, 0.0, 0.0, 0.0),
                    "posterior": (0.12, 0.86, 0.0, 0.02),
                    "calcifications": (0.99, 0.01),
                },
            ),
            Variant(
                "complicated",
                0.3,
                {
                    "shape": (0.55, 0.27, 0.18),
                    "orientation": (0.85, 0.15),
                    "margin": (0.62, 0.23, 0.03, 0.12, 0.0),
                    "echo": (0.15, 0.25, 0.07, 0.0, 0.45, 0.08),
                    "posterior": (0.35, 0.50, 0.05, 0.10),
                    "calcifications": (0.94, 0.06),
                },
            ),
        ),
    ),
    "fibroadenoma": Kind(
        "benign",
        0.30,
        0.33,
        0.50,
        0.32,
        (
            Variant(
                "typical",
                0.78,
                {
                    "shape": (0.84, 0.13, 0.03),
                    "orientation": (0.95, 0.05),
                    "margin": (0.86, 0.07, 0.01, 0.06, 0.0),
                    "echo": (0.0, 0.72, 0.18, 0.05, 0.01, 0.04),
                    "posterior": (0.60, 0.33, 0.04, 0.03),
                    "calcifications": (0.93, 0.07),
                },
            ),
            Variant(
                "atypical",
                0.22,
                {
                    "shape": (0.38, 0.14, 0.48),
                    "orientation": (0.82, 0.18),
                    "margin": (0.22, 0.38, 0.12, 0.25, 0.03),
                    "echo": (0.0, 0.55, 0.13, 0.04, 0.06, 0.22),
                    "posterior": (0.52, 0.14, 0.25, 0.09),
                    "calcifications": (0.78, 0.22),
                },
            ),
        ),
    ),
    "carcinoma": Kind(
        "malignant",
        0.35,
        0.50,
        0.36,
        0.38,
        (
            Variant(
                "typical",
                0.84,
                {
                    "shape": (0.07, 0.06, 0.87),
                    "orientation": (0.58, 0.42),
                    "margin": (0.02, 0.31, 0.19, 0.17, 0.31),
                    "echo": (0.0, 0.62, 0.04, 0.02, 0.06, 0.26),
                    "posterior": (0.26, 0.07, 0.50, 0.17),
                    "calcifications": (0.60, 0.40),
                },
            ),
            Variant(
                "circumscribed",
                0.16,
                {
                    "shape": (0.45, 0.30, 0.25),
                    "orientation": (0.82, 0.18),
                    "margin": (0.52, 0.22, 0.04, 0.21, 0.01),
                    "echo": (0.02, 0.65, 0.08, 0.01, 0.10, 0.14),
                    "posterior": (0.42, 0.40, 0.09, 0.09),
                    "calcifications": (0.86, 0.14),
                },
            ),
        ),
    ),
}


def draw_kind(rng: np.random.Generator) -> str:
    """Draw the kind of a case from the default mix."""
    names = list(KINDS)
    return names[int(rng.choice(len(names), p=[KINDS[name].share for name in names]))]


def draw_descriptors(rng: np.random.Generator, kind: str) -> tuple[str, dict[str, str]]:
    """Draw the form of a lesion and its descriptors.

    Args:
        rng: source of randomness.
        kind: a key of `KINDS`.

    Returns:
        The variant's name and descriptor -> value; ("", {}) when the kind has no lesion.
    """
    variants = KINDS[kind].variants
    if not variants:
        return "", {}
    variant = variants[int(rng.choice(len(variants), p=[v.share for v in variants]))]
    drawn = {
        name: values[int(rng.choice(len(values), p=variant.weights[name]))]
        for name, values in VOCABULARY.items()
    }
    return variant.name, _coherent(drawn)


def _coherent(drawn: dict[str, str]) -> dict[str, str]:
    """A spiculated or angular outline is irregular by definition."""
    if drawn["margin"] in ("spiculated", "angular"):
        return drawn | {"shape": "irregular"}
    return drawn


def descriptor_bayes_accuracy(include_normal: bool = True) -> float:
    """Return the accuracy of the best possible "malignant or not" from true descriptors alone.

    Exact: sums over all descriptor combinations and the default mix.

    Args:
        include_normal: count cases without a lesion, which are never malignant.

    Returns:
        Accuracy in [0, 1].
    """
    right = sum(max(shares.values()) for shares in _joint().values())
    normal = KINDS["normal"].share
    return right + normal if include_normal else right / (1 - normal)


def label_frequencies() -> dict[str, dict[str, dict[str, float]]]:
    """Return label -> descriptor -> value -> probability among the masses of that label; exact."""
    totals = {"benign": 0.0, "malignant": 0.0}
    table = {
        label: {name: dict.fromkeys(values, 0.0) for name, values in VOCABULARY.items()}
        for label in totals
    }
    for combination, shares in _joint().items():
        for label, probability in shares.items():
            totals[label] += probability
            for name, value in zip(VOCABULARY, combination, strict=True):
                table[label][name][value] += probability
    for label, descriptors in table.items():
        for frequencies in descriptors.values():
            for value in frequencies:
                frequencies[value] /= totals[label]
    return table


def _joint() -> dict[tuple[str, ...], dict[str, float]]:
    """Probability of every descriptor combination together with benign and with malignant."""
    joint: dict[tuple[str, ...], dict[str, float]] = {}
    for indices in itertools.product(*(range(len(values)) for values in VOCABULARY.values())):
        positions = dict(zip(VOCABULARY, indices, strict=True))
        drawn = {name: VOCABULARY[name][index] for name, index in positions.items()}
        shares = joint.setdefault(
            tuple(_coherent(drawn).values()), {"benign": 0.0, "malignant": 0.0}
        )
        for kind in KINDS.values():
            for variant in kind.variants:
                probability = kind.share * variant.share
                for name, index in positions.items():
                    probability *= variant.weights[name][index]
                shares[kind.label] += probability
    return joint
