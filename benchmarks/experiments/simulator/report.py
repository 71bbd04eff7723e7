"""The page of simulated beside real ultrasound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jomed_app.evaluation.report.pages.markdown import fill, table

ROWS = {
    "grey_mean": "grey level, mean of the image (0-255)",
    "grey_p10": "grey level, 10th percentile",
    "grey_p50": "grey level, median",
    "grey_p90": "grey level, 90th percentile",
    "grey_top": "grey level, upper third",
    "grey_middle": "grey level, middle third",
    "grey_bottom": "grey level, lower third",
    "detail_contrast": "fine detail: standard deviation / local mean",
    "axial_half_width_px": "autocorrelation half-width, axial (px at 480 px width)",
    "lateral_half_width_px": "autocorrelation half-width, lateral (px at 480 px width)",
    "width_fraction_benign": "lesion width / image width, benign",
    "width_fraction_malignant": "lesion width / image width, malignant",
    "height_to_width_benign": "lesion height / width, benign",
    "height_to_width_malignant": "lesion height / width, malignant",
    "depth_fraction_benign": "lesion centre depth / image height, benign",
    "depth_fraction_malignant": "lesion centre depth / image height, malignant",
    "contrast_benign": "lesion grey - surrounding grey, benign",
    "contrast_malignant": "lesion grey - surrounding grey, malignant",
    "behind_benign": "grey behind the lesion - grey beside that, benign",
    "behind_malignant": "grey behind the lesion - grey beside that, malignant",
}


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `compare.main` measured."""
    rows = [
        [
            text,
            _percentiles(row["real"]),
            _percentiles(row["simulated"]),
            row["distance_in_real_sd"],
        ]
        for key, text in ROWS.items()
        for row in [values["rows"][key]]
    ]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        count=values["count"],
        size_px=values["size_px"],
        distance=values["histogram_distance_grey_levels"],
        auc=values["box_auc"],
        figures=table(["measure", f"real ({values['real_set']})", "simulated", "distance"], rows),
    )


def _percentiles(values: Sequence[float]) -> str:
    return " / ".join(f"{value:g}" for value in values)
