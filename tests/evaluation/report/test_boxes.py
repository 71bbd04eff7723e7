"""Figures of boxes and heat maps: by hand, and none where a system defines none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from jomed_app.boxes import Box
from jomed_app.evaluation.report.boxes import box_figures
from jomed_app.evaluation.report.scores import CaseScores, SystemScores

LESION = Box(0, 0, 10, 10)
CASES = [
    CaseScores("lesion", "a", 1, {}, boxes=(LESION,)),
    CaseScores("normal", "b", 0, {}),
]
HALF = np.array([0.5, 0.5])


def says(box: Box, score: float, peak: tuple[float, float]) -> SystemScores:
    return SystemScores(HALF, boxes=(box,), scored_boxes=((box, score),), heat_peak=peak)


def test_a_found_lesion_and_a_false_box_by_hand():
    scores = [says(LESION, 0.9, (5.0, 5.0)), says(Box(3, 3, 5, 5), 0.2, (4.0, 4.0))]
    figures = box_figures(scores, CASES)
    assert (figures["mean_iou"], figures["false_boxes_per_normal"]) == (1.0, 1.0)
    assert (figures["froc"], figures["pointing"]) == (1.0, 1.0)


def test_a_surer_false_box_costs_sensitivity():
    scores = [says(LESION, 0.2, (15.0, 5.0)), says(Box(3, 3, 5, 5), 0.9, (4.0, 4.0))]
    figures = box_figures(scores, CASES)
    assert figures["froc"] == pytest.approx(4 / 6), "found at 1/2 false box per image and above"
    assert figures["pointing"] == 0.0


def test_a_system_without_boxes_in_every_case_has_no_figures():
    scores = [says(LESION, 0.9, (5.0, 5.0)), SystemScores(HALF)]
    assert set(box_figures(scores, CASES).values()) == {None}
    unscored = [dataclasses.replace(each, scored_boxes=None) for each in scores[:1] * 2]
    figures = box_figures(unscored, CASES)
    assert (figures["froc"], figures["mean_iou"]) == (None, 1.0)
