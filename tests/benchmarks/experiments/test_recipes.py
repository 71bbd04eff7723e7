"""Two runs on the same held-out cases: differences, settings, words."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.experiments.recipes import run as recipes
from benchmarks.experiments.recipes.report import page
from benchmarks.experiments.recipes.run import compare, differing_settings
from tests.evaluation.report.synthetic_scores import make_cases
from tests.markdown_tables import unpadded


def with_wrong(cases, system, count):
    """The same cases; the first right ones of a system, as many as asked, turned wrong."""
    changed, left = [], count
    for case in cases:
        said = case.systems[system]
        if left and int(np.argmax(said.probabilities)) == case.label:
            wrong = replace(said, probabilities=np.roll(said.probabilities, 1))
            case, left = replace(case, systems={**case.systems, system: wrong}), left - 1
        changed.append(case)
    return changed


def test_what_one_run_gets_wrong_is_counted_case_by_case_in_any_order():
    first = make_cases()
    rows = compare(first, with_wrong(first, "rag", 6)[::-1], 3, 2)
    assert rows["rag"]["difference"] == pytest.approx(-6 / len(first))
    assert rows["rag"]["only_right"] == [6, 0]
    assert rows["rag"]["p"] == pytest.approx(2 / 2**6)  # McNemar: six of six on one side
    low, high = rows["rag"]["interval"]
    assert low < -6 / len(first) < high <= 0
    others = [name for name in rows if name != "rag"]
    assert others
    assert all(rows[name]["difference"] == 0 for name in others)


def test_only_systems_of_both_runs_are_compared():
    first = make_cases()
    second = [
        replace(case, systems={n: s for n, s in case.systems.items() if n != "joint"})
        for case in first
    ]
    rows = compare(first, second, 3, 2)
    assert "joint" not in rows
    assert "rag" in rows


def test_runs_with_other_held_out_cases_are_refused():
    with pytest.raises(ValueError, match="must hold out the same cases, found 60 and 59"):
        compare(make_cases(), make_cases()[1:], 3, 2)


def test_settings_that_differ_are_named_and_folders_are_not():
    first = {"train_reader": {"steps": 80, "lr": 1, "data": "a"}, "tower": {"name": "x"}}
    second = {"train_reader": {"steps": 56, "lr": 1, "data": "b"}, "tower": {"name": "y"}}
    assert differing_settings(first, second) == {"train_reader.steps": [80, 56]}


def test_the_page_holds_every_system_and_setting():
    cases = make_cases()
    values = {
        "runs": ["long", "short"],
        "task": "breast",
        "n": len(cases),
        "settings": {"train_reader.steps": [80, 56]},
        "systems": compare(cases, with_wrong(cases, "rag", 3), 3, 2),
    }
    text = unpadded(page(values, "Measured."))
    assert "| `train_reader.steps` | 80 | 56 |" in text
    assert re.search(r"\| rag \| 0\.\d{3} \| 0\.\d{3} \| -0\.050 \[.*\] \| 3 / 0 \| 0\.25 \|", text)
    assert "| system | long | short | short − long |" in text


def test_a_run_without_readings_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "publish", None)
    run = tmp_path / "bare"
    run.mkdir()
    (run / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"read as `raw` or `raw\.quick`"):
        recipes.main([str(run), str(run), "--data", str(tmp_path)])
