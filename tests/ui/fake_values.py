"""The fixed numbers and words of the fake engine."""

from __future__ import annotations

import math

from jomed_app.types import HeatMap, OperatingPoint

LABELS = ("normal", "benign", "malignant")
PASSAGES = (
    "Irregular hypoechoic mass with spiculated margin and posterior shadowing.",
    "Oval circumscribed hypoechoic mass, parallel, <script>alert('x')</script> enhancement.",
    "Irregular mass, angular margin, vertical orientation.",
    "Round mass with indistinct margin, heterogeneous echo.",
)
KNOWN = ("malignant", "benign", "malignant", "malignant")
READ = (
    (0.02, 0.14, 0.84),
    (0.05, 0.72, 0.23),
    (0.04, 0.38, 0.58),
    (0.04, 0.44, 0.52),
)
WEIGHTS = (0.41, 0.27, 0.20, 0.12)
FAINT_WEIGHTS = (0.9, 0.084, 0.01, 0.006)  # of an image whose similar cases hardly count
PERCENTILES = (99.4, 98.9, 97.2, 95.0)
FAINT_PERCENTILES = (35.2, 31.0, 30.4, 12.9)
FOUND = {"joint": (0, 1, 2, 3), "standard": (5, 1, 3, 6)}
OTHER_RANK = {"joint": {0: 7, 1: 2, 2: None, 3: 3}, "standard": {5: 6, 1: 2, 3: 4, 6: None}}
FINDINGS = {
    "shape": {"irregular": 0.71, "oval": 0.22, "round": 0.07},
    "margin": {"spiculated": 0.48, "angular": 0.31, "circumscribed": 0.21},
    "orientation": {"vertical": 0.57, "parallel": 0.43},
    "echo": {"hypoechoic": 0.83, "heterogeneous": 0.17},
    "posterior": {"shadowing": 0.66, "none": 0.34},
    "calcifications": {"absent": 0.74, "present": 0.26},
}
DESCRIPTORS = {
    0: {"shape": "irregular", "margin": "spiculated", "posterior": "shadowing"},
    1: {"shape": "oval", "margin": "circumscribed", "orientation": "parallel"},
    9: {"shape": "oval", "echo": "anechoic"},
}
REPORT = "Irregular, vertical, hypoechoic mass with spiculated margin and shadowing."
POINTS = (
    OperatingPoint(threshold=0.2, false_share=0.42, found_share=0.93),
    OperatingPoint(threshold=0.5, false_share=0.14, found_share=0.81),
    OperatingPoint(threshold=0.8, false_share=0.0, found_share=0.34),
)


def known_box(number: int) -> tuple[float, float, float, float]:
    """Return the ellipse of a candidate's picture, XYXY px of a file of 480 by 480 px."""
    center = 0.4 + 0.03 * ((20 + number) % 7)
    return ((center - 0.17) * 480, 0.32 * 480, (center + 0.17) * 480, 0.58 * 480)


def heat_map(rows: int = 8, columns: int = 10) -> HeatMap:
    """Return one bright spot left of the middle and a dim one at the lower right."""
    spots = ((0.42, 0.45, 1.0), (0.8, 0.75, 0.35))
    grid = [
        max(
            peak * math.exp(-20 * (((x + 0.5) / columns - u) ** 2 + ((y + 0.5) / rows - v) ** 2))
            for u, v, peak in spots
        )
        for y in range(rows)
        for x in range(columns)
    ]
    most = max(grid)
    return HeatMap(rows=rows, columns=columns, values=tuple(each / most for each in grid))
