"""The comparison of ways of tuning: its jobs, what each may know, what it keeps, and the page."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.experiments.reading_ways import run as reading_ways
from benchmarks.experiments.reading_ways.cases import (
    Job,
    drawn_cases,
    find_all,
    limited_tables,
    thinned_groups,
)
from benchmarks.experiments.reading_ways.figures import SYSTEMS, summarize_folder
from benchmarks.experiments.reading_ways.report import page
from benchmarks.experiments.reading_ways.run import (
    OPTIONS,
    WAYS,
    list_jobs,
    main,
    read_config,
    way_config,
)
from benchmarks.kept import KeptReports
from jomed_app.config.load import JomedConfig
from jomed_app.data.records import CaseRecord
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.run.workspace import groups_of
from tests.few_trials import few_trials
from tests.markdown_tables import unpadded


def cases(labels, per_group=2):
    return [
        CaseRecord(
            case_id=f"case-{place}",
            image=f"{place}.png",
            label=label,
            passage="",
            group=f"group-{place // per_group}",
            rows=8,
            columns=8,
        )
        for place, label in enumerate(labels)
    ]


def table_of(records, simulated=6, fold_size=8):
    """Simulated rows first; the first real cases stand in fold 0."""
    real = np.arange(simulated, len(records))
    folds = np.where(np.arange(len(real)) < fold_size, 0, 1)
    return ReaderTable(
        SimpleNamespace(records=records), None, None, None, None,
        np.arange(simulated), real, folds, np.arange(0),
    )  # fmt: skip


@pytest.fixture
def records():
    return cases(["a", "b", "c"] * 2 + ["a", "a", "b", "b", "c", "c", "a", "a"] * 6)


def job(**changes):
    return Job(
        **{"task": "t", "way": "plain", "fraction": 1.0, "held_out": "", "seed": 0} | changes
    )


def test_ways_are_files_that_set_all_shares_and_nothing_else():
    paths = sorted(OPTIONS.glob("*.toml"))
    assert {path.stem for path in paths} == set(WAYS)
    names = {"hidden_share", "random_share", "comparison_share", "plain_share"}
    for path in paths:
        values = tomllib.loads(path.read_text())
        assert set(values) == {"train_reader"}
        assert set(values["train_reader"]) == names


def test_a_way_changes_shares_steps_and_seed_only():
    config = JomedConfig()
    tuned = way_config(config, "misleading", 7, 3).train_reader
    assert (tuned.random_share, tuned.hidden_share, tuned.steps, tuned.seed) == (0.4, 0.0, 7, 3)
    assert tuned.candidate_depth == config.train_reader.candidate_depth


@pytest.mark.parametrize(("task", "count"), [("breast", 11), ("retina", 4)])
def test_every_job_has_its_own_file(task, count):
    names = [job.name for job in list_jobs(task, 2)]
    assert len(set(names)) == len(names) == 2 * count


def test_a_task_without_a_plan_is_refused():
    with pytest.raises(ValueError, match=r"must be of a task in \['breast', 'retina'\]"):
        list_jobs("polyp", 1)


def test_parts_of_a_run_that_readers_do_not_need_may_be_of_another_age(tmp_path):
    values = {"train_reader": {"task": "retina"}, "train_retriever": {"forgotten": 1}}
    (tmp_path / "config.json").write_text(json.dumps(values))
    config = read_config(tmp_path, tmp_path)
    assert (config.train_reader.task, config.train_reader.data) == ("retina", str(tmp_path))


def test_a_share_keeps_groups_whole_and_labels_present(records):
    rows = np.arange(6, len(records))
    small, large = (thinned_groups(records, rows, share, 0) for share in (0.1, 0.5))
    assert set(small) < set(large) < set(rows)
    names = groups_of(records)
    for kept in (small, large):
        whole = {row for row in rows.tolist() if names[row] in {names[each] for each in kept}}
        assert whole == set(kept.tolist())
        assert {records[row].label for row in kept} == {"a", "b", "c"}
    assert Counter(records[row].label for row in large) == {"a": 12, "b": 6, "c": 6}
    assert thinned_groups(records, rows, 1.0, 0).tolist() == rows.tolist()
    assert thinned_groups(records, rows, 0.5, 1).tolist() != large.tolist()


def test_cases_are_drawn_by_whole_groups(records):
    rows = np.arange(6, len(records))
    drawn = drawn_cases(records, rows, 7)
    assert len(drawn) == 6
    assert set(Counter(np.asarray(groups_of(records))[drawn]).values()) == {2}
    assert drawn_cases(records, rows, 100).tolist() == rows.tolist()


def test_a_held_out_class_is_in_the_index_alone(records):
    tuned, read = limited_tables(table_of(records), job(held_out="c"))
    assert {records[row].label for row in tuned.training_rows(0)} == {"a", "b"}
    assert {records[row].label for row in tuned.simulated} == {"a", "b"}
    assert {records[row].label for row in read.training_rows(0)} == {"a", "b", "c"}
    assert read.held_out_rows(0).tolist() == tuned.held_out_rows(0).tolist() == list(range(6, 14))


def test_a_share_limits_queries_and_known_cases_alike(records):
    tuned, read = limited_tables(table_of(records), job(fraction=0.25))
    assert tuned.training_rows(0).tolist() == read.training_rows(0).tolist()
    assert len(read.training_rows(0)) == 2 * (2 + 1 + 1)  # of 10, 5 and 5 groups of two
    assert tuned.simulated.tolist() == list(range(6))


def test_misleading_candidates_are_the_nearest_of_another_class(records):
    allowed = np.arange(8, 20)
    angles = torch.linspace(1.0, 0.0, len(records))  # the later a row, the nearer to the query
    angles[6] = 0.0
    vectors = torch.stack([angles.cos(), angles.sin()], dim=-1)
    as_they_are = SimpleNamespace(embed_features=lambda features, head: features)
    table = SimpleNamespace(
        records=records,
        features=vectors,
        passages=vectors.numpy(),
        fold_projections=lambda fold: as_they_are,
    )
    corpus = FoldCorpus(table, None, allowed)
    found = find_all(corpus, 6, 2, np.random.default_rng(0))
    assert records[6].label == "a"
    assert set(found["rag"]) == {19, 18, 17, 16}
    others = [row for row in range(19, 7, -1) if records[row].label != "a"]
    assert found["adversarial_candidates"].tolist() == others[:4]
    assert len(set(found["random_candidates"].tolist()) & set(allowed.tolist())) == 4


def write_job(folder, way, rights, **changes):
    """A finished job; `rights` gives by system whether each case is right."""
    values = {"task": "breast", "way": way, "fraction": 1.0, "held_out": "", "seed": 0}
    values |= {"steps": 40, "seconds": 60.0, "queries": 9, "known": 9, "is_simulated": True}
    count = len(rights["rag"])
    lines = [
        {
            "case": f"case-{place}",
            "group": f"group-{place // 2}",
            "label": "malignant" if place % 2 else "benign",
            **{name: int(rights.get(name, rights["rag"])[place]) for name in SYSTEMS},
            "inconsistent": 0,
            "oracle": 1,
            "variance": 0.25,
            "agreement": 0.5,
        }
        for place in range(count)
    ]
    values |= changes
    path = folder / f"{way}-{values['fraction']}-{values['held_out']}-{values['seed']}.json"
    path.write_text(json.dumps(values | {"cases": lines}))


@pytest.fixture
def jobs(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    good, half = [1] * 40, [1, 0] * 20
    write_job(folder, "plain", {"rag": half})
    write_job(folder, "renamed", {"rag": good, "random_candidates": half})
    write_job(folder, "renamed", {"rag": good, "no_retrieval": half}, held_out="malignant")
    write_job(folder, "plain", {"rag": half}, held_out="malignant")
    return folder


def rows_of(folder):
    return {(row["way"], row["held_out"]): row for row in summarize_folder(folder)}


def test_the_page_says_what_the_jobs_say(jobs):
    text = unpadded(page(summarize_folder(jobs), "Measured."))
    rows = rows_of(jobs)
    plain, renamed = rows["plain", ""], rows["renamed", ""]
    assert plain["rag"] == pytest.approx([0.5, 0.5, 0.5])  # every group has one of each
    assert renamed["gaps"]["random_candidates"] == pytest.approx([0.5, 0.5, 0.5])
    assert renamed["gaps"]["no_retrieval"] == [0, 0, 0]
    assert renamed["against_plain"]["rag"] == pytest.approx([0.5, 0.5, 0.5])
    assert "- `renamed` answers better beside retrieved candidates than beside random" in text
    assert "- `plain` answers no better beside retrieved candidates than beside random" in text
    assert "| renamed | 100.0 [100, 100] |" in text


def test_a_new_class_has_figures_of_its_own(jobs):
    text = page(summarize_folder(jobs), "Measured.")
    row = rows_of(jobs)["renamed", "malignant"]
    assert row["class"]["cases"] == row["others"]["cases"] == 20
    assert row["class"]["rag"] == [1, 1, 1]
    assert row["class"]["no_retrieval"] == [0, 0, 0]
    assert row["class"]["gap"] == row["against_plain"]["class"] == [1, 1, 1]
    assert "### A class that only the index knows: malignant" in text
    assert "The common start had seen simulated cases of it." in text


def test_seeds_are_put_together_and_paired_by_seed(jobs):
    write_job(jobs, "renamed", {"rag": [0] * 40}, seed=1)
    row = rows_of(jobs)["renamed", ""]
    assert row["seeds"] == [0, 1]
    assert row["rag"][0] == pytest.approx(0.5)
    assert row["against_plain"]["rag"][0] == pytest.approx(0.5), "seed 1 has no plain twin"


def test_a_page_of_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="requires finished jobs, found none in"):
        summarize_folder(tmp_path)


def test_a_job_is_tuned_read_and_not_repeated(tiny_run, tmp_path, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")}
    out = tmp_path / "out"
    arguments = [str(tiny_run), "--out", str(out), "--results", str(tmp_path / "results")]
    arguments += ["--steps", "1", "--cases", "3", "--only", "mixed-1.0-malignant"]
    with few_trials():
        assert main(arguments) == 0
    (path,) = out.glob("*.json")
    values = json.loads(path.read_text())
    assert path.name == "breast-mixed-1.0-malignant-0.json"
    assert 1 <= len(values["cases"]) <= 3
    assert values["queries"] < values["known"]
    assert not list((out / "runs").iterdir()), "checkpoints are not kept"
    assert "A class that only the index knows" in (tmp_path / "results" / "reading.md").read_text()
    kept = KeptReports(tmp_path / "results")
    assert kept.measured("reading").bundle == f"run `{tiny_run.name}`"
    assert {path: path.stat().st_mtime_ns for path in tiny_run.rglob("*")} == before
    monkeypatch.setattr(reading_ways, "run_job", None)
    assert main(arguments) == 0
