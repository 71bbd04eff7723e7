"""The page of the localizers, from drawn figures."""

from __future__ import annotations

import math

import pytest

from benchmarks.experiments.localise import report
from benchmarks.experiments.localise.report import draw, earlier_polyps
from tests.markdown_tables import unpadded


def system(mean_iou, false_boxes=0.1):
    drawn = {"mean_iou": mean_iou, "iou50": 0.5, "false_boxes_per_normal": false_boxes}
    return {
        "every": {"mean_iou": mean_iou, "iou30": 0.7, "iou50": 0.6},
        "mean_iou_ci": (mean_iou - 0.1, mean_iou + 0.1),
        "at_threshold": drawn,
        "froc": 0.4,
        "curve": {"false_per_image": [0.0, 1.0], "sensitivity": [0.0, 0.8]},
    }


def page(values):
    return unpadded(report.page(values, "Measured."))


@pytest.fixture
def values():
    gap = {"value": -0.018, "low": -0.028, "high": 0.006}
    bins = [{"low": 0.0, "high": 0.5, "num_cases": 4, "accuracy": 0.25}]
    bins.append({"low": 0.5, "high": 1.0, "num_cases": 0, "accuracy": math.nan})
    deletion = {"mean_drop": 0.3, "mean_drop_elsewhere": 0.05, "num_cases": 4}
    beyond = {
        "pointing": {"hit_rate": 0.8, "chance_rate": 0.1},
        "accuracy_by_iou": bins,
        "deletion": deletion,
        "accuracy": 0.83,
        "ms_per_case": 71.4,
    }
    return {
        "false_per_normal": 0.15,
        "busi": {
            "images": 20,
            "tuned_images": 20,
            "systems": {"stage 1": system(0.66), "rewards": system(0.64)},
            "differences": {"rewards - stage 1": {"mean_iou": gap, "iou50": gap}},
            "beyond": {"stage 1": beyond},
        },
        "polyp": {"seed0": {"stage 1": system(0.78, math.nan)}},
    }


def test_the_page_says_what_was_measured(values):
    text = page(values)
    assert "at most 0.15 false boxes" in text
    assert "BUSI, grouped folds, 20 held-out images" in text
    row = "| stage 1 | 0.660 [0.560, 0.760] | 0.700 | 0.600 | 0.400 | 0.660 | 0.500 | 0.100 |"
    assert row in text
    assert "| rewards - stage 1 | -0.018 [-0.028, +0.006] | -0.018 [-0.028, +0.006] |" in text
    assert "probability by 0.300, an equal box elsewhere by 0.050 (4 cases)" in text
    assert "71 ms per image" in text


def test_a_set_without_normal_images_shows_a_dash(values):
    assert page(values).split("## Kvasir-SEG")[1].count("| – |") == 1


def test_an_empty_bin_is_left_out(values):
    assert "| 0.0 to 0.5 | 4 | 0.250 |" in page(values)
    assert "0.5 to 1.0" not in page(values)


def test_a_run_without_rewards_has_a_page_too(values):
    del values["busi"]["tuned_images"], values["polyp"]
    assert "`rewards`: 0 images" in page(values)


def test_every_curve_is_drawn(values, tmp_path):
    draw(values, tmp_path)
    drawn = (tmp_path / "localise-froc.svg").read_text()
    assert "stage 1" in drawn
    assert "rewards" in drawn


def test_polyps_measured_earlier_stay_and_are_marked(values):
    assert earlier_polyps(None) == earlier_polyps({"busi": {}}) == {}
    assert "Kept from an earlier run" not in page(values)
    older = earlier_polyps(values)
    del values["polyp"]
    text = page(values | older)
    assert "Kept from an earlier run" in text
    assert "0.780" in text.split("## Kvasir-SEG")[1]
