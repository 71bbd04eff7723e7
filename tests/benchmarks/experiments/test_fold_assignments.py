"""Cheap systems over fold seeds: every case once a seed, one figure a system, a page."""

from __future__ import annotations

import json
import shutil

from benchmarks.experiments.fold_assignments.report import page
from benchmarks.experiments.fold_assignments.run import main
from tests.markdown_tables import unpadded


def test_each_seed_scores_both_systems(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert main([str(run)]) == 0
    rows = json.loads((run / "cv" / "fold_seeds.json").read_text())
    assert [(row["seed"], row["system"]) for row in rows] == [
        (seed, name) for seed in range(3) for name in ("backbone", "knn")
    ]
    assert all(0 <= row[name] <= 1 for row in rows for name in ("accuracy", "auroc"))
    assert len({(row["accuracy"], row["auroc"]) for row in rows}) > 2, "the seed changes the folds"


def test_each_assignment_is_a_column():
    rows = [
        {"seed": seed, "system": "knn", "accuracy": value, "auroc": 0.5}
        for seed, value in enumerate((0.6, 0.7, 0.8))
    ]
    text = unpadded(page({"breast": rows}, {"breast": "Measured."}))
    assert "## breast\n\nMeasured.\n" in text
    assert "| knn | accuracy | 0.600 | 0.700 | 0.800 | 0.700 ± 0.1000 |" in text
    assert "| knn | AUROC | 0.500 | 0.500 | 0.500 | 0.500, all equal |" in text


def test_a_single_split_has_nothing_to_repeat(tiny_run, tmp_path, capsys):
    values = json.loads((tiny_run / "config.json").read_text())
    values["train_reader"]["folds"] = 1
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert main([str(tmp_path)]) == 0
    assert "no assignment of folds to repeat" in capsys.readouterr().out
