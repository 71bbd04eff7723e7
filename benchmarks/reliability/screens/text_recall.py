"""How many of the lines of text on machine screens are found, the short ones counted apart."""

from __future__ import annotations

import numpy as np

from benchmarks.reliability.screens.layouts import LAYOUTS, draw_screen
from jomed_app.boxes import Box
from jomed_app.imaging.content.text import find_text
from jomed_app.simulator.case import simulate_case

COVERED = 0.5  # share of a line of text from which it counts as found
SHORT = 2.6  # times as wide as high, drawn; found, a line is grown on all sides


def screen_recall(rounds: int) -> dict[str, int]:
    """Draw every layout around simulated images; count the lines drawn and those found.

    Args:
        rounds: screens of each layout.

    Returns:
        screens, drawn, found; short and short_found: of lines less than 2.6 times as wide as high.
    """
    counts = dict.fromkeys(("screens", "drawn", "found", "short", "short_found"), 0)
    for seed in range(rounds):
        gray = simulate_case(seed).image
        image = np.repeat(gray[..., None], 3, axis=2)
        for number, layout in enumerate(LAYOUTS.values()):
            screen = draw_screen(image, layout, np.random.default_rng([seed, number]))
            found = [Box(*map(float, line)) for line in find_text(screen.pixels)]
            counts["screens"] += 1
            for x0, y0, x1, y1 in screen.text:
                place = Box(float(x0), float(y0), float(x1), float(y1))
                is_found = any(covered_share(place, line) >= COVERED for line in found)
                is_short = x1 - x0 < SHORT * (y1 - y0)
                counts["drawn"] += 1
                counts["found"] += is_found
                counts["short"] += is_short
                counts["short_found"] += is_short and is_found
    return counts


def covered_share(place: Box, line: Box) -> float:
    """Share of a place that a line covers, in [0, 1]."""
    width = min(place.x1, line.x1) - max(place.x0, line.x0)
    height = min(place.y1, line.y1) - max(place.y0, line.y0)
    return max(0.0, width) * max(0.0, height) / place.area
