"""What a box threshold means on validation cases, as sentences for the slider."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jomed_app.types import OperatingPoint
from jomed_app.ui import text

RARE = 0.01
COUNTED_IN_ONES = 1 / 3  # ours: "1 in N" up to here, counts of ten above


def false_words(share: float) -> str:
    """Return the share of drawn boxes that are false, in [0, 1], as a count; never certainty."""
    if share < RARE:
        return "fewer than 1 in 100 drawn boxes is false"
    if share <= COUNTED_IN_ONES:
        return f"about 1 in {round(1 / share)} drawn boxes is false"
    tenths = round(share * 10)
    count = "nearly all" if tenths >= 10 else f"about {tenths} of 10"
    return f"{count} drawn boxes are false"


def found_words(share: float) -> str:
    """Return the share of lesions that are found, in [0, 1], as a count; never certainty."""
    tenths = round(share * 10)
    if tenths >= 10:
        return "nearly all lesions are found"
    if tenths <= 0:
        return "fewer than 1 of 10 lesions is found"
    return f"{tenths} of 10 lesions {'is' if tenths == 1 else 'are'} found"


def threshold_steps(
    points: Sequence[OperatingPoint], measured_on: str
) -> list[dict[str, float | str]]:
    """Return the slider's sentences as JSON data, one step per measured threshold.

    Between two measured thresholds the figures are those of the lower one, which is then named.

    Args:
        points: in any order; those with a value that is not finite claim nothing and are left out.
        measured_on: the validation cases, in words; may be empty.

    Returns:
        Ascending steps with `from`, the sentence `at` that very threshold and the one `above` it.
        The first step starts at or below 0 and claims nothing unless it was measured.
    """
    known = sorted(
        (
            point
            for point in points
            if all(map(math.isfinite, (point.threshold, point.false_share, point.found_share)))
        ),
        key=lambda point: point.threshold,
    )
    if not known:
        return [_step(0.0, text.THRESHOLD_UNKNOWN, text.THRESHOLD_UNKNOWN)]
    on = f", on validation cases: {measured_on}." if measured_on else ", on validation cases."
    steps = []
    if known[0].threshold > 0:
        words = text.THRESHOLD_NOT_MEASURED_BELOW.format(threshold=known[0].threshold)
        steps.append(_step(0.0, words, words))
    for point in known:
        drawn = point.false_share > 0 or point.found_share > 0
        said = (
            f"{false_words(point.false_share)} and {found_words(point.found_share)}"
            if drawn
            else text.HARDLY_ANY_BOX
        )
        nearest = text.THRESHOLD_NEAREST.format(threshold=point.threshold)
        steps.append(
            _step(point.threshold, f"{text.THRESHOLD_EXACT} {said}{on}", f"{nearest} {said}{on}")
        )
    return steps


def _step(start: float, at: str, above: str) -> dict[str, float | str]:
    """Return one step of the slider."""
    return {"from": start, "at": at, "above": above}
