"""Options of reward tuning: jobs are read whole, figures by hand, the page tells the difference."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.experiments.reward_options.report import (
    compare,
    figure,
    page,
    read_jobs,
    summarize,
)
from benchmarks.experiments.reward_options.run import OPTIONS, START, look, settings_digest
from jomed_app.config.load import load_config
from jomed_app.training.localizer.kept_views import KeptCases
from tests.localizer_maps import tiny_maps
from tests.markdown_tables import unpadded

FIRST = [
    {"row": 0, "group": "a", "right": True, "label_prob": 0.5, "ious": [0.4, 0.0]},
    {"row": 1, "group": "b", "right": False, "label_prob": 0.25, "ious": []},
    {"row": 2, "group": "c", "right": True, "label_prob": 0.5, "ious": [0.6]},
]
BETTER = [
    {"row": 0, "group": "a", "right": True, "label_prob": 0.5, "ious": [0.7, 0.0]},
    {"row": 1, "group": "b", "right": True, "label_prob": 0.5, "ious": []},
    {"row": 2, "group": "c", "right": True, "label_prob": 0.5, "ious": [0.8]},
]
EVERYTHING = np.arange(3)


@pytest.fixture
def out(tmp_path):
    for name, rows in ((f"{START}-0", FIRST), ("ppo-0", BETTER), ("ppo-1", FIRST)):
        (tmp_path / f"{name}-0.json").write_text(json.dumps(rows))
        (tmp_path / f"{name}-1.json").write_text(json.dumps(rows))
    (tmp_path / "half-0-0.json").write_text(json.dumps(FIRST))
    return tmp_path


def test_figures_by_hand():
    assert figure("mean_iou", [FIRST], EVERYTHING) == pytest.approx(1.0 / 3)
    assert figure("iou50", [FIRST], EVERYTHING) == pytest.approx(1 / 3)
    assert figure("accuracy", [FIRST], EVERYTHING) == pytest.approx(2 / 3)
    assert figure("nll", [FIRST], EVERYTHING) == pytest.approx(4 / 3 * np.log(2))
    assert figure("mean_iou", [FIRST, BETTER], EVERYTHING) == pytest.approx((1.0 + 1.5) / 6)
    assert figure("mean_iou", [FIRST], np.array([2, 2])) == pytest.approx(0.6)


def test_a_seed_counts_when_all_its_folds_are_done(out):
    jobs = read_jobs(out)
    assert {name: len(seeds) for name, seeds in jobs.items()} == {START: 1, "ppo": 2}
    assert len(jobs["ppo"][0]) == 6


def test_the_difference_is_paired(out):
    jobs = read_jobs(out)
    found = compare(jobs["ppo"], jobs[START])
    assert found["mean_iou"].value == pytest.approx(0.5 / 3 / 2)
    assert found["mean_iou"].low >= 0
    same = compare(jobs[START], jobs[START])
    assert (same["iou50"].value, same["iou50"].low, same["iou50"].high) == (0, 0, 0)


def test_the_page_has_a_row_per_option(out):
    values = summarize(out, START)
    assert (values["images"], values["start"]) == (6, START)
    assert values["options"]["ppo"]["seeds"] == 2
    text = unpadded(page(values, "Measured."))
    assert f"| {START} | 1 | 0.333 | 0.333 | 0.667 | 0.924 |" in text
    assert "| ppo | 2 | 0.417, +0.083 [" in text


def test_every_option_is_a_configuration_of_this_stage_alone():
    names = {path.stem for path in OPTIONS.glob("*.toml")}
    assert {"group", "ppo", "ppo_relevance"} <= names
    plain = load_config(OPTIONS / "ppo_relevance.toml").train_rewards
    assert plain.algorithm == "ppo"
    assert plain.localization_weight == plain.vision_weight == 0.0


def test_a_look_tells_every_lesion_and_whether_the_class_is_right():
    localizer, maps, boxes, labels = tiny_maps()
    seen = look(localizer, KeptCases(maps, boxes, labels), [0, 1, 2], ["a", "b", "c"])
    assert [len(each["ious"]) for each in seen] == [1, 2, 0]
    said = localizer.find_in_maps(maps[0].float())
    right = [int(each.class_prob.argmax()) == int(y) for each, y in zip(said, labels, strict=True)]
    assert [each["right"] for each in seen] == right
    sure = [float(each.class_prob[int(y)]) for each, y in zip(said, labels, strict=True)]
    assert [each["label_prob"] for each in seen] == pytest.approx(sure, abs=1e-5)
    assert all(0 <= iou <= 1 for each in seen for iou in each["ious"])


def test_several_starts_are_several_seeds(out):
    for fold in range(2):
        (out / f"{START}-1-{fold}.json").write_text(json.dumps(BETTER))
    jobs = read_jobs(out)
    assert len(jobs[START]) == 2
    found = compare(jobs["ppo"], jobs[START])
    assert found["mean_iou"].value == pytest.approx(0.0), "ppo: better and first; starts: the same"


def test_options_that_merge_alike_policies_share_them():
    def named(name):
        return load_config(OPTIONS / f"{name}.toml").train_rewards

    proper = settings_digest(named("ppo_proper"))
    assert settings_digest(named("ppo_proper_alone")) == proper
    assert settings_digest(named("ppo_proper_mean")) == proper
    assert settings_digest(named("ppo_proper").replaced(seed=3)) == proper
    assert settings_digest(named("ppo")) != proper
