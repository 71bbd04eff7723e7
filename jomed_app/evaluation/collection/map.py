"""A map of a collection: its image vectors in the plane in which they spread most.

Source: principal components, by the eigenvectors of the covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 1500  # ours: an SVG of about 100 kB; of more cases every n-th is drawn
MOST_COMPARED = 5000  # ours: 200 MB of products; more are compared by `index measure`


@dataclass(frozen=True, slots=True)
class CollectionMap:
    """Cases as points of a plane.

    Attributes:
        points: (P, 2) in [0, 1], both axes on one scale, the middle of the range in the middle.
        rows: (P,) the case of each point.
        spread: share of the vectors' variance along each axis, in [0, 1].
    """

    points: NDArray[np.float64]
    rows: NDArray[np.int64]
    spread: tuple[float, float]


def map_collection(vectors: NDArray[np.float32], most: int = MOST_POINTS) -> CollectionMap:
    """Project a collection to two axes. All cases set the axes, at most `most` become points.

    Args:
        vectors: (N, D) image vectors, D >= 2, N >= 1.
        most: points.
    """
    centered = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    variances, axes = np.linalg.eigh(centered.T @ centered)
    plane = axes[:, ::-1][:, :2]
    # An eigenvector has no sign of its own: its largest number is made positive.
    largest = np.abs(plane).argmax(axis=0)
    plane = plane * np.sign(plane[largest, [0, 1]])
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(most, len(vectors))).round()).astype(int)
    flat = centered @ plane
    middle = (flat.max(axis=0) + flat.min(axis=0)) / 2
    width = max(float((flat.max(axis=0) - flat.min(axis=0)).max()), 1e-12)
    total = max(float(variances.sum()), 1e-12)
    spread = (max(0.0, float(variances[-1])) / total, max(0.0, float(variances[-2])) / total)
    return CollectionMap((flat[rows] - middle) / width + 0.5, rows, spread)


def nearest_agree(
    vectors: NDArray[np.float32], labels: list[str], groups: list[str]
) -> tuple[int, int]:
    """Count cases whose nearest case of another group has their label.

    Args:
        vectors: (N, D) unit rows.
        labels: N.
        groups: N; cases of one group are not compared; the empty group holds one case alone.

    Returns:
        How many agree, and of how many: those that have a case of another group.
    """
    names = np.array([group or f"\0{row}" for row, group in enumerate(groups)])
    said = np.array(labels)
    products = np.where(names[:, None] == names[None, :], -np.inf, vectors @ vectors.T)
    nearest = products.argmax(axis=1)
    counted = np.isfinite(products.max(axis=1))
    return int(((said == said[nearest]) & counted).sum()), int(counted.sum())
