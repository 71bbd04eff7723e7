"""Cheap systems over fold seeds: every case once a seed, one figure a system, a page."""

from __future__ import annotations

import json
import shutil

from benchmarks.experiments.fold_assignments.repeat import fold_seeds_page
from benchmarks.experiments.fold_assignments.run import main


def test_each_seed_scores_both_systems(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert main([str(run)]) == 0
    rows = json.loads((run / "cv" / "fold_seeds.json").read_text())
    assert [(row["seed"], row["system"]) for row in rows] == [
        (seed, name) for seed in range(3) for name in ("backbone", "knn")
    ]
    assert all(0 <= row[name] <= 1 for row in rows for name in ("accuracy", "auroc"))
    assert len({(row["accuracy"], row["auroc"]) for row in rows}) > 2, "the seed changes the folds"


def test_the_page_by_hand():
    rows = [
        {"seed": seed, "system": "knn", "accuracy": value, "auroc": 0.5}
        for seed, value in enumerate((0.6, 0.7, 0.8))
    ]
    page = fold_seeds_page(rows)
    assert "| knn | 0.700 (0.100) | 0.500 (0.000) |" in page
    assert "seeds [0, 1, 2]" in page
