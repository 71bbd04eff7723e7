"""Near-duplicate images of a set: found by correlation, so that no split tears them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import RecordError

if TYPE_CHECKING:
    from PIL.Image import Image

TWIN_PX = 32
TWIN_CORRELATION = 0.95
BLOCK = 1024  # rows compared with all others at once: 8 MB for a thousand images
# Of image vectors of a bundle's tower. On 624 images of BUSI, with the tower of bundle 5 and the
# set's own 170 pairs: pixels find 142, none wrong; the tower 4 above 0.98, none wrong and all among
# those; above 0.80 it finds 131 and 2 wrong ones, both together 147. So low a bound is of one tower
# alone: another's products may all lie above it.
TWIN_PRODUCT = 0.98
TWIN_SPLIT = "twin"  # neither trained on nor measured: a twin of a held-out image

_HELD_OUT_ORDER = ("train", "val", "test")


def group_twins(
    folder: Path, images: Sequence[str], min_correlation: float = TWIN_CORRELATION
) -> list[int]:
    """Put near-duplicates of a set into groups.

    Ours: images are shrunk to 32 x 32 gray pixels; two are twins when these correlate
    above a bound, and twins of twins share a group. Exposure and contrast are of no matter; a
    flip is not seen.

    Args:
        folder: where image paths start from.
        images: N paths.
        min_correlation: bound in (-1, 1); the more alike a set's images are, the higher.

    Returns:
        N groups, numbered by first appearance.

    Raises:
        RecordError: if an image is not there or cannot be read.
    """
    if not images:
        return []
    small = np.stack([_shrink(folder, name, place) for place, name in enumerate(images)])
    return linked_groups(_unit_rows(small), min_correlation)


def linked_groups(rows: NDArray[np.float64], min_product: float) -> list[int]:
    """Put rows that are linked by a product above a bound into groups, in blocks of rows.

    Args:
        rows: (N, D) rows of unit length (or of zeros, which stand alone).
        min_product: bound in (-1, 1); links of links share a group.

    Returns:
        N groups, numbered by first appearance.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    firsts, seconds = [], []
    for start in range(0, len(rows), BLOCK):
        first, second = np.nonzero(rows[start : start + BLOCK] @ rows.T > min_product)
        firsts.append(first + start)
        seconds.append(second)
    one, other = np.concatenate(firsts), np.concatenate(seconds)
    linked = coo_array((np.ones(len(one), dtype=bool), (one, other)), (len(rows), len(rows)))
    _, components = connected_components(linked, directed=False)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(component), len(numbers)) for component in components]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Near-duplicates among pictures.

    Attributes:
        groups: N groups, by pixels or by the tower.
        by_pixels, by_tower: pictures with a near-duplicate, by each.
    """

    groups: list[int]
    by_pixels: int
    by_tower: int


def group_pictures(
    images: Iterable[NDArray[np.uint8]],
    vectors: NDArray[np.float32],
    min_correlation: float = TWIN_CORRELATION,
    min_product: float = TWIN_PRODUCT,
) -> Pictures:
    """Put near-duplicates into groups by their pixels, and by what a bundle's own tower says.

    Ours: a pair counts where either says so. A tower can find twins that were cropped or flipped,
    which pixels that are compared place by place miss; `TWIN_PRODUCT` says what it found.

    Args:
        images: N images (H, W) or (H, W, 3), uint8, without margins; one is held at a time.
        vectors: (N, D) unit rows of the same images.
        min_correlation: bound of pixels.
        min_product: bound of inner products.
    """
    small = np.stack([_shrink_pixels(image) for image in images])
    by_pixels = linked_groups(_unit_rows(small), min_correlation)
    by_tower = linked_groups(vectors.astype(np.float64), min_product)
    groups = joined_groups([str(group) for group in by_pixels], by_tower)
    return Pictures(groups, _with_twin(by_pixels), _with_twin(by_tower))


def _with_twin(groups: Sequence[int]) -> int:
    """How many share their group with another one."""
    times = Counter(groups)
    return sum(times[group] > 1 for group in groups)


def joined_groups(first: Sequence[str], second: Sequence[str | int]) -> list[int]:
    """Join cases that share a group by either of two namings, such as patient and twin.

    Args:
        first: N names; an empty one stands alone.
        second: N names.

    Returns:
        N groups, numbered by first appearance; no name of either stands in two of them.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known: dict[tuple[int, str | int], int] = {}
    ends = []
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        for name in ((0, one or place), (1, other)):
            ends.append(len(first) + known.setdefault(name, len(known)))
    starts = np.repeat(np.arange(len(first)), 2)
    size = len(first) + len(known)
    linked = coo_array((np.ones(len(ends), dtype=bool), (starts, ends)), (size, size))
    _, components = connected_components(linked, directed=False)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(each), len(numbers)) for each in components[: len(first)]]


def hold_out_twins(groups: Sequence[int], splits: Sequence[str]) -> list[str]:
    """Take twins of held-out images out of what is trained on.

    Ours: held-out splits stay as the set has them, so that figures can be compared; an image whose
    group also stands on a more held-out side (train before val before test) gets the split
    "twin", which nothing reads unless asked to.

    Args:
        groups: N groups of near-duplicates.
        splits: N splits of the set's table.

    Returns:
        N splits; no group stands in two of train, val and test.
    """
    most: dict[int, int] = {}
    for group, split in zip(groups, splits, strict=True):
        most[group] = max(most.get(group, 0), _rank(split))
    return [
        split if _rank(split) == most[group] else TWIN_SPLIT
        for group, split in zip(groups, splits, strict=True)
    ]


def _rank(split: str) -> int:
    """How far a split is from training; one of an unknown name counts as training."""
    return _HELD_OUT_ORDER.index(split) if split in _HELD_OUT_ORDER else 0


def have_twins(
    images: Sequence[NDArray[np.uint8]],
    known: Sequence[NDArray[np.uint8]],
    min_correlation: float = TWIN_CORRELATION,
) -> NDArray[np.bool_]:
    """Whether each image has a near-duplicate among known ones, by the rule of `group_twins`.

    Twins of twins do not count.

    Args:
        images: N images (H, W) or (H, W, 3), uint8, without margins.
        known: M such images.
        min_correlation: bound in (-1, 1).

    Returns:
        (N,) truth values; all False without known images.
    """
    if not len(images) or not len(known):
        return np.zeros(len(images), dtype=bool)
    small = np.stack([_shrink_pixels(image) for image in (*images, *known)])
    found = correlations(small)[: len(images), len(images) :]
    return np.asarray((found > min_correlation).any(axis=1))


def correlations(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, N) correlations of (N, H, W) gray images, in [-1, 1]; 0 for a flat image."""
    unit = _unit_rows(images)
    return np.asarray(unit @ unit.T)


def _unit_rows(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, H, W) gray images as centered rows of unit length; zeros for a flat image."""
    rows = images.reshape(len(images), -1)
    centered = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centered, axis=1, keepdims=True)
    return np.asarray(np.divide(centered, norms, out=np.zeros_like(centered), where=norms > 0))


def _shrink_pixels(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Pixels in memory as 32 x 32 gray levels, as `_shrink` makes them of a file."""
    from PIL.Image import fromarray

    return _to_levels(fromarray(image))


def _shrink(folder: Path, name: str, place: int) -> NDArray[np.float64]:
    """An image as 32 x 32 gray levels, each the mean of the pixels it covers."""
    from PIL.Image import open as open_image

    try:
        with open_image(folder / name) as image:
            image.draft("L", (2 * TWIN_PX, 2 * TWIN_PX))  # a JPEG is decoded at a small scale
            return _to_levels(image)
    except OSError as error:
        raise RecordError(
            f"row {place} must name an image that can be read, found none; add the image, twins "
            "are found by their pixels"
        ) from error


def _to_levels(image: Image) -> NDArray[np.float64]:
    from PIL.Image import Resampling

    small = image.convert("L").resize((TWIN_PX, TWIN_PX), Resampling.BOX)
    return np.asarray(small, dtype=np.float64)
