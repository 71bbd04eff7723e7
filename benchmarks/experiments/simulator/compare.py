"""Compare simulated breast ultrasound with a real set: grey levels, speckle, lesion size, contrast.

Run: python -m benchmarks.experiments.simulator.compare REAL_SET [--count N]
The real set is a folder `NAME/` with `NAME.parquet` (columns image, busi_class, boxes). Only
aggregate numbers leave this script; without the real set it says so and ends.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from benchmarks import RESULTS
from benchmarks.experiments.simulator.report import ROWS
from benchmarks.kept import Measured
from benchmarks.write_results import publish
from jomed_app.boxes import Box
from jomed_app.simulator import simulate_case

PERCENTILES = (10, 50, 90)
SIZE_PX = 480


@dataclass(frozen=True, slots=True)
class Example:
    """One image with its label and largest lesion box (px), or None."""

    image: NDArray[np.float32]
    label: str
    box: Box | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both sets, keep the figures and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("real", type=Path, help="folder of the prepared breast set")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the page")
    options = parser.parse_args(arguments)
    table = options.real / f"{options.real.name}.parquet"
    if not table.is_file():
        sys.stdout.write("The real set is not here, so there is nothing to compare with.\n")
        return 0
    real, real_histogram = _measured(_real(options.real, options.count))
    simulated, simulated_histogram = _measured(_simulated(options.count, options.seed))
    levels = np.arange(256)
    report = {
        "real_set": options.real.name,
        "count": options.count,
        "size_px": SIZE_PX,
        "histogram_distance_grey_levels": round(
            float(wasserstein_distance(levels, levels, real_histogram, simulated_histogram)), 2
        ),
        "box_auc": {"real": _box_auc(real), "simulated": _box_auc(simulated)},
        "rows": {
            key: {
                "real": _percentiles(real[key]),
                "simulated": _percentiles(simulated[key]),
                "distance_in_real_sd": _distance(real[key], simulated[key]),
            }
            for key in ROWS
        },
    }
    publish("simulator", report, Measured(), options.results)
    return 0


def _real(folder: Path, count: int) -> Iterator[Example]:
    """Yield up to `count` real images, scaled to SIZE_PX columns."""
    table = pd.read_parquet(folder / f"{folder.name}.parquet")
    table = table.sample(min(count, len(table)), random_state=0)
    for row in table.itertuples():
        image = Image.open(folder / str(row.image)).convert("L")
        factor = SIZE_PX / image.width
        image = image.resize((SIZE_PX, round(image.height * factor)), Image.Resampling.LANCZOS)
        boxes = [Box(*map(float, box)).scaled(factor, factor) for box in row.boxes]
        largest = max(boxes, key=lambda box: box.area, default=None)
        yield Example(np.asarray(image, dtype=np.float32), str(row.busi_class), largest)


def _simulated(count: int, seed: int) -> Iterator[Example]:
    """Yield simulated cases of the default mix."""
    for index in range(count):
        case = simulate_case(seed + index, size_px=SIZE_PX)
        boxes = case.record.box_list
        yield Example(case.image.astype(np.float32), case.record.label, boxes[0] if boxes else None)


def _measured(
    examples: Iterator[Example],
) -> tuple[dict[str, list[float]], NDArray[np.float64]]:
    """Measure every example; return the values per row and the pooled grey histogram."""
    values: dict[str, list[float]] = {key: [] for key in ROWS}
    histogram = np.zeros(256)
    for example in examples:
        field = _field(example.image)
        histogram += np.bincount(field.astype(np.uint8).ravel(), minlength=256) / field.size
        for key, value in _texture(field).items():
            values[key].append(value)
        if example.box is not None:
            for key, value in _lesion(example.image, example.box).items():
                values[f"{key}_{example.label}"].append(value)
    return values, histogram


def _field(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image without its outer tenth, where margins and marks lie."""
    rows, columns = image.shape
    return image[int(0.08 * rows) : int(0.86 * rows), int(0.14 * columns) : int(0.84 * columns)]


def _texture(field: NDArray[np.float32]) -> dict[str, float]:
    """Grey levels and fine detail of one field of view."""
    third = len(field) // 3
    smooth = gaussian_filter(field, 4)
    upper = (field - smooth)[: len(field) // 2]
    spectrum = np.abs(np.fft.fft2(upper - upper.mean())) ** 2
    correlation = np.fft.ifft2(spectrum).real
    correlation /= max(correlation[0, 0], 1e-9)
    low, middle, high = np.percentile(field, PERCENTILES)
    return {
        "grey_mean": float(field.mean()),
        "grey_p10": float(low),
        "grey_p50": float(middle),
        "grey_p90": float(high),
        "grey_top": float(field[:third].mean()),
        "grey_middle": float(field[third : 2 * third].mean()),
        "grey_bottom": float(field[2 * third :].mean()),
        "detail_contrast": float((upper / np.maximum(smooth[: len(upper)], 10)).std()),
        "axial_half_width_px": _half_width(correlation[:30, 0]),
        "lateral_half_width_px": _half_width(correlation[0, :30]),
    }


def _half_width(correlation: NDArray[np.float64]) -> float:
    """Lag at which an autocorrelation first falls to one half, px."""
    index = int(np.argmax(correlation < 0.5))
    if index == 0:
        return float(len(correlation))
    before, after = correlation[index - 1], correlation[index]
    return float(index - 1 + (before - 0.5) / (before - after))


def _lesion(image: NDArray[np.float32], box: Box) -> dict[str, float]:
    """Size, place, contrast and posterior brightness of one lesion; NaN where there is no room."""
    rows, columns = image.shape
    x, y = box.center
    quarter, depth = box.width / 4, 0.35 * box.height + 6
    inner = Box(x - quarter, y - box.height / 4, x + quarter, y + box.height / 4)
    left = Box(box.x0 - 0.4 * box.width, box.y0, box.x0 - 0.1 * box.width, box.y1)
    under = Box(x - quarter, box.y1 + 4, x + quarter, box.y1 + depth)
    around = _mean(image, left, left.shifted(1.5 * box.width, 0))
    beside = _mean(image, *(under.shifted(side * box.width, 0) for side in (-0.85, 0.85)))
    return {
        "width_fraction": box.width / columns,
        "height_to_width": box.height / box.width,
        "depth_fraction": y / rows,
        "contrast": _mean(image, inner) - around,
        "behind": _mean(image, under) - beside,
    }


def _box_auc(values: dict[str, list[float]]) -> float | None:
    """AUC of "malignant" among masses from the box alone (5-fold logistic regression).

    None with fewer than five masses of either label.
    """
    names = ("width_fraction", "height_to_width", "depth_fraction")
    benign, malignant = (
        np.column_stack([values[f"{name}_{label}"] for name in names])
        for label in ("benign", "malignant")
    )
    if min(len(benign), len(malignant)) < 5:
        return None
    boxes = np.concatenate([benign, malignant])
    boxes = (boxes - boxes.mean(axis=0)) / boxes.std(axis=0)
    is_malignant = np.repeat([False, True], [len(benign), len(malignant)])
    auc = cross_val_score(LogisticRegression(), boxes, is_malignant, cv=5, scoring="roc_auc")
    return round(float(auc.mean()), 3)


def _mean(image: NDArray[np.float32], *boxes: Box) -> float:
    """Mean grey over the parts of boxes that lie in the image; NaN when none does."""
    means = []
    for box in boxes:
        clipped = box.clipped(image.shape[1], image.shape[0])
        if clipped is not None and clipped.width >= 2 and clipped.height >= 2:
            x0, y0, x1, y1 = (round(value) for value in clipped.as_tuple())
            means.append(float(image[y0:y1, x0:x1].mean()))
    return float(np.mean(means)) if means else float("nan")


def _percentiles(values: list[float]) -> list[float]:
    """10th, 50th and 90th percentile of the finite values."""
    finite = np.asarray(values)[np.isfinite(values)]
    return [round(float(value), 3) for value in np.percentile(finite, PERCENTILES)]


def _distance(real: list[float], simulated: list[float]) -> float:
    """Earth mover's distance in units of the real standard deviation."""
    first = np.asarray(real)[np.isfinite(real)]
    second = np.asarray(simulated)[np.isfinite(simulated)]
    return round(float(wasserstein_distance(first, second) / max(first.std(), 1e-9)), 2)


if __name__ == "__main__":
    raise SystemExit(main())
