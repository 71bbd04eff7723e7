"""Frozen towers: held-out groups stay held out, features are kept, the page says the figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.experiments.towers.features import BOTH, CLASS, MEAN, features_of, milliseconds
from benchmarks.experiments.towers.report import figure, page, summarize
from benchmarks.experiments.towers.score import held_out, neighbors, probe
from jomed_app.data.records import CaseRecord
from jomed_app.evaluation.metrics.probabilities import accuracy
from tests.markdown_tables import unpadded
from tests.tiny_models import build_tiny_dinov2, build_tiny_tower

LABELS = ("benign", "malignant", "normal")


def record(place: int, group: str) -> CaseRecord:
    return CaseRecord(
        case_id=f"c{place}", image=f"{place}.png", label=LABELS[place % 3], group=group,
        passage="", rows=60, columns=60, split="train",
    )  # fmt: skip


@pytest.fixture
def cases(tmp_path):
    rng = np.random.default_rng(0)
    for place in range(5):
        drawn = rng.integers(0, 256, (60, 60), dtype=np.uint8)
        Image.fromarray(drawn).save(tmp_path / f"{place}.png")
    return tmp_path, [record(place, f"g{place}") for place in range(5)]


def test_neighbours_by_hand():
    known = np.array([[0, 1], [0.1, 1], [1, 0], [1, 0.1]], dtype=np.float32)
    said = neighbors(2)(known, np.array([0, 0, 1, 1]), known[:1])
    assert said.tolist() == [[1.0, 0.0]]


def test_a_group_never_answers_for_itself():
    """Every image has a twin of its label in its group and one of another label elsewhere."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(30, 4)), 2, axis=0).astype(np.float32)
    records = [
        record(place // 2, f"g{place // 2}").model_copy(update={"case_id": f"c{place}"})
        for place in range(60)
    ]
    said = held_out(features, records, LABELS, neighbors(1))
    right = np.mean([accuracy(each, said["labels"]) for each in said["probabilities"]])
    assert right < 0.7  # by its twin every image would be right
    assert len(said["probabilities"]) == 3


def test_the_probe_finds_what_can_be_told():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = (np.eye(3)[labels] * 4 + rng.normal(size=(90, 3))).astype(np.float32)
    said = probe(features[:60], labels[:60], features[60:])
    np.testing.assert_allclose(said.sum(1), 1.0, atol=1e-6)
    assert accuracy(said, labels[60:]) > 0.9


def test_features_are_kept(cases, tmp_path):
    folder, records = cases
    tower = build_tiny_dinov2(image_size=56)
    found = features_of(tower, folder, records, tmp_path / "kept.npz")
    assert {name: each.shape for name, each in found.items()} == {
        CLASS: (5, 32),
        MEAN: (5, 32),
        BOTH: (5, 64),
    }
    tower.forward = None  # type: ignore[method-assign,assignment]
    again = features_of(tower, folder, records, tmp_path / "kept.npz")
    np.testing.assert_array_equal(again[BOTH], found[BOTH])


def test_a_tower_without_a_class_token_has_its_mean_alone(cases, tmp_path):
    folder, records = cases
    tower = build_tiny_tower(image_size=64)
    found = features_of(tower, folder, records, tmp_path / "kept.npz")
    shape = tower.config
    assert {name: each.shape for name, each in found.items()} == {
        MEAN: (5, shape.hidden_size - shape.position_dim)
    }
    (taken,) = milliseconds([tower], folder, records[:2])
    assert taken > 0
    assert torch.is_inference_mode_enabled() is False


def reading(right: bool) -> dict:
    labels = [0, 1, 2, 0]
    said = np.eye(3)[labels if right else [1, 2, 0, 1]].tolist()
    return {
        "features": MEAN, "way": "probe", "probabilities": [said], "labels": labels,
        "groups": ["a", "b", "c", "d"],
    }  # fmt: skip


def test_the_page_says_the_figures():
    jobs = [
        {"task": "breast", "tower": "one", "classes": list(LABELS), "readings": [reading(True)]},
        {"task": "derma", "tower": "two", "classes": ["x", "y", "z"], "readings": [reading(False)]},
    ]
    held = {"storage": "nf4", "mib": 11.3, "shift": [0.1, 0.3], "reading": reading(True)}
    values = {"jobs": jobs, "storage": [held], "speed": {"one": 12.4}, "number_type": "bf16"}
    said = unpadded(page(summarize(values), "No bundle takes part."))
    assert "| BUSI, grouped folds | one | patch mean | probe | 1.000 [1.000, 1.000] |" in said
    assert "| HAM10000, train to val | two | patch mean | probe | 0.000 [0.000, 0.000] |" in said
    assert "| one | 12 |" in said
    assert "| nf4 | 11.3 | 0.200 | 0.300 | 1.000 [1.000, 1.000] |" in said
    assert "Not measured." in page(summarize({**values, "storage": []}), "")


def test_a_figure_is_the_mean_over_seeds():
    both = reading(True)
    both["probabilities"] += reading(False)["probabilities"]
    assert figure(both, accuracy)[0] == pytest.approx(0.5)
