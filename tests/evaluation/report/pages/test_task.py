"""One page a task: sections are ways of reading, seeds are columns where something was trained."""

from __future__ import annotations

import re

import pytest

from jomed_app.evaluation.report.pages import task
from jomed_app.evaluation.report.pages.task import (
    draw_task,
    readings_of,
    seeds_table,
    task_page,
)
from jomed_app.evaluation.systems import ADVERSARIAL
from tests.evaluation.report.pages.made_reports import make_report, of_folds
from tests.markdown_tables import cells

FIRST = of_folds(make_report())
SECOND = FIRST.model_copy(
    update={
        "seed": 1,
        "systems": {
            **FIRST.systems,
            "joint": FIRST.systems["joint"].model_copy(
                update={"accuracy": FIRST.systems["joint"].accuracy - 0.1}
            ),
        },
    }
)
MASKED = FIRST.model_copy(update={"split": "5-fold-masked"})
BINARY = FIRST.model_copy(update={"task": "breast-binary"})
INDEXED = FIRST.model_copy(update={"index": "simulated-index"})


def page_of(*reports, **more):
    return task_page(readings_of(reports), {}, **{"measured": "Measured with bundle 1.", **more})


def test_ways_of_reading_are_sections_in_one_order():
    readings = readings_of([INDEXED, BINARY, SECOND, MASKED, FIRST])
    assert [each.name for each in readings] == ["plain", "plain-binary", "masked", "simulated"]
    assert [report.seed for report in readings[0].reports] == [0, 1]
    page = page_of(INDEXED, BINARY, SECOND, MASKED, FIRST)
    assert re.findall(r"(?m)^## (.*)$", page) == [
        "Plain",
        "Plain: malignant or not",
        "Annotations in the image masked",
        "Beside the simulated index",
    ]


def test_seeds_are_columns_of_what_they_train_anew_and_of_nothing_else():
    header, *rows = cells(seeds_table([FIRST, SECOND]))
    assert header == ["system", "figure", "seed 0", "seed 1", "mean ± sd"]
    assert {row[0] for row in rows} == {"joint", "joint − rag"}
    one, other = (report.systems["joint"].accuracy for report in (FIRST, SECOND))
    spread = abs(one - other) / 2**0.5
    assert rows[0] == [
        "joint", "accuracy", f"{one:.3f}", f"{other:.3f}", f"{(one + other) / 2:.3f} ± {spread:.4f}"
    ]  # fmt: skip
    assert rows[-1][-1].endswith("all equal")
    assert seeds_table([FIRST]) == ""


def test_a_difference_is_told_seed_by_seed():
    first, second = (
        of_folds(make_report(comparisons=[("joint", "rag")]), seed=seed) for seed in range(2)
    )
    rows = cells(seeds_table([first, second]))[1:]
    (row,) = [row for row in rows if row[0] == "joint − rag"]
    assert row[1] == "accuracy"
    assert row[2].startswith(f"{first.differences[0].difference:+.3f} [")


def test_no_page_says_plus_minus_where_nothing_was_trained_anew():
    page = page_of(FIRST, SECOND)
    assert "± 0.000" not in page
    spread = [line for line in page.splitlines() if " ± " in line and line.startswith("|")]
    assert spread
    assert all(line.startswith(("| joint", "| system")) for line in spread)
    assert "Seeds train the query heads anew" in page
    assert "Seeds train the query heads anew" not in page_of(FIRST)


def test_a_system_that_no_seed_trains_may_not_differ_between_seeds():
    rag = FIRST.systems["rag"].model_copy(update={"accuracy": 0.1})
    other = FIRST.model_copy(update={"seed": 1, "systems": {**FIRST.systems, "rag": rag}})
    with pytest.raises(ValueError, match="no seed of the query heads changes `rag`, found it"):
        readings_of([FIRST, other])


def test_two_reports_of_one_seed_are_refused():
    with pytest.raises(ValueError, match=r"a seed of its own, found \[0, 0\] for 'breast'"):
        readings_of([FIRST, FIRST])


def test_a_page_is_of_one_task():
    with pytest.raises(ValueError, match=r"found reports of \['breast', 'retina'\]"):
        readings_of([FIRST, FIRST.model_copy(update={"task": "retina"})])


def test_near_duplicates_are_claimed_only_where_they_were_looked_for():
    folds = page_of(FIRST)
    assert "was not computed" in folds
    assert "without a near duplicate among" not in folds
    assert "accuracy, clean" not in folds
    evaluated = make_report()
    page = page_of(evaluated)
    assert f"{evaluated.n_clean} without a near duplicate among the known cases" in page
    assert "accuracy, clean" in page
    assert "was not computed" not in page


def test_a_page_says_what_it_was_measured_with_and_how_many_cases():
    page = page_of(FIRST, measured="Measured with bundle 7. More.")
    assert "Measured with bundle 7. More." in page
    assert "not a medical device" in page
    assert f"{FIRST.n} cases in {FIRST.n_groups} groups (`5-fold`" in page
    assert f"disagree in {FIRST.n_inconsistent} cases" in page
    assert page.count("### ") == 10


def test_a_page_says_what_the_truth_chose():
    assert ADVERSARIAL not in page_of(FIRST)
    told = FIRST.model_copy(update={"systems": {ADVERSARIAL: FIRST.systems["rag"]}})
    assert f"`{ADVERSARIAL}` are chosen by the true label" in page_of(told)


def test_pictures_are_the_same_twice_and_every_one_is_shown(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the development tools")
    readings = readings_of([FIRST, SECOND, BINARY])
    both = []
    for out in (tmp_path / "a", tmp_path / "b"):
        out.mkdir()
        drawn = draw_task(readings, out)
        both.append({path.name: path.read_bytes() for each in drawn.values() for path in each})
    assert both[0] == both[1]
    assert len(both[0]) == 4 + 2, "the second seed has no pictures, two labels have two"
    page = task_page(readings, drawn, measured="m")
    assert all(f"]({task.PICTURES}/{name})" in page for name in both[0])
    assert b"accuracy, breast 5-fold, n = 30" in both[0]["breast-plain-accuracy.svg"]


def test_a_report_of_the_schema_before_has_no_curve(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the development tools")
    old = {
        name: system.model_copy(update={"coverage": None, "aurc": None})
        for name, system in FIRST.systems.items()
    }
    report = FIRST.model_copy(update={"systems": old, "schema_": "jomed.report/1"})
    drawn = draw_task(readings_of([report]), tmp_path)["plain"]
    parts = [path.stem.rsplit("-", 1)[-1] for path in drawn]
    assert parts == ["accuracy", "reliability", "states"]
