"""Figures of one system's boxes and heat maps, as a report holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jomed_app.evaluation.metrics.boxes import localization_scores
from jomed_app.evaluation.metrics.froc import froc_curve, froc_score, mark_true_boxes
from jomed_app.evaluation.metrics.pointing import peak_hit_rate
from jomed_app.evaluation.report.scores import CaseScores, SystemScores

SHOWN = ("mean_iou", "iou30", "iou50", "false_boxes_per_normal", "parse_rate")


def box_figures(
    scores: Sequence[SystemScores], cases: Sequence[CaseScores]
) -> dict[str, float | None]:
    """Return the figures by their name in the report; None where the system does not define one.

    Args:
        scores: of one system, one per case.
        cases: with their true boxes.
    """
    truth = [case.boxes for case in cases]
    figures: dict[str, float | None] = dict.fromkeys((*SHOWN, "froc", "pointing"))
    if not any(score.boxes is None for score in scores):
        found = localization_scores(
            [score.boxes if score.is_parsed else None for score in scores], truth
        )
        figures |= {name: _known(getattr(found, name)) for name in SHOWN}
    scored = [score.scored_boxes for score in scores if score.scored_boxes is not None]
    if len(scored) == len(cases):
        boxes = [[box for box, _ in each] for each in scored]
        sure = [[score for _, score in each] for each in scored]
        figures["froc"] = _known(froc_score(froc_curve(mark_true_boxes(boxes, sure, truth))))
    peaks = [score.heat_peak for score in scores if score.heat_peak is not None]
    if len(peaks) == len(cases):
        figures["pointing"] = _known(peak_hit_rate(peaks, truth))
    return figures


def _known(value: float) -> float | None:
    """None for what the cases do not define."""
    return None if math.isnan(value) else value
