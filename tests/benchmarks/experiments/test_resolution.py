"""Resolution ablation: four ways of telling one box, scored by lesion, one row per localizer."""

from __future__ import annotations

import pytest

from benchmarks.experiments.resolution.report import ENCODINGS, page
from benchmarks.experiments.resolution.run import score, told_boxes
from jomed_app.training.localizer.kept_views import KeptCases
from tests.localizer_maps import tiny_maps
from tests.markdown_tables import unpadded


def test_every_encoding_tells_its_box():
    localizer, maps, _, _ = tiny_maps()
    told = told_boxes(localizer, maps[0].float())
    assert [set(each) for each in told] == [set(ENCODINGS)] * 3
    found = localizer.find_in_maps(maps[0].float())
    assert told[1]["greatest expected IoU"] == found[1].box
    assert told[1]["dense head"] == found[1].boxes[0]
    edges = localizer(maps[0].float()).edge_logits[1].argmax(-1)
    centers = ((edges + 0.5) / localizer.config.location_bins).tolist()
    low = [min(centers[0], centers[2]), min(centers[1], centers[3])]
    most = told[1]["most probable bins"].as_tuple()
    assert most[:2] == pytest.approx(low, abs=2e-3)


def test_images_without_a_lesion_are_left_out():
    localizer, maps, boxes, labels = tiny_maps()
    seen = score(localizer, KeptCases(maps, boxes, labels), [0, 1, 2], ["a", "b", "c"])
    assert [each["group"] for each in seen] == ["a", "b"]
    assert [len(each["ious"]["dense head"]) for each in seen] == [1, 2]


def test_the_page_has_a_row_per_size_and_stride():
    ious = {name: [0.5, 0.0] for name in ENCODINGS}
    images = [{"group": "a", "ious": ious}, {"group": "b", "ious": ious}]
    made = {"ms_per_case": 12.3, "steps": 9, "images": images}
    jobs = [{"size": 320, "stride": "16", **made}, {"size": 224, "stride": "8", **made}]
    said = unpadded(page({"folds": [0, 1], "jobs": jobs}, "Measured."))
    assert "| 224 | 8 | 28 x 28 | 0.250 [0.250, 0.250] |" in said
    assert "| 320 | 16 | 20 x 20 |" in said
    assert "9 steps each, BUSI folds 0, 1 held out" in said
