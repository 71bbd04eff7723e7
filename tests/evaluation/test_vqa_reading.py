"""Reading questions: through the command line with an index, and after the stage that tunes."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app import cli
from jomed_app.config import config_from_dict
from jomed_app.data.records import AskedQuestion, write_records
from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError, RecordError
from jomed_app.evaluation.run import evaluate_task
from jomed_app.evaluation.vqa_held_out import measure_held_out, tune_and_measure
from jomed_app.evaluation.vqa_reading import (
    VQA_SYSTEMS,
    evaluate_questions,
)
from jomed_app.evaluation.vqa_report import read_vqa_report
from tests.tiny_bundle import write_tiny_corpus
from tests.tiny_run import tiny_config

TASK = """
name = "asked"
title = "Questions"
kind = "open"
question = "What is shown?"
has_boxes = false
"""
HELD_OUT = 3


@pytest.fixture(scope="module")
def task_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "asked.toml"
    path.write_text(TASK)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulated images with two questions each; the last three are held out."""
    root = tmp_path_factory.mktemp("asked")
    records = write_tiny_corpus(root, 9, seed=31)
    write_records(
        root,
        [
            record.model_copy(
                update={
                    "split": "train" if place < len(records) - HELD_OUT else "val",
                    "questions": (
                        AskedQuestion(question="What is it?", answer=record.label),
                        AskedQuestion(
                            question="Is it normal?",
                            answer="yes" if record.label == "normal" else "no",
                            is_closed=True,
                        ),
                    ),
                }
            )
            for place, record in enumerate(records)
        ],
    )
    return root


@pytest.fixture(autouse=True)
def _log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path / "log"))


def test_index_and_evaluation_of_questions_without_code(
    task_file, folder, tiny_bundle, tmp_path, capsys
):
    index, out = tmp_path / "index", tmp_path / "report.json"
    common = ["--task", str(task_file), "--data", str(folder), "--bundle", str(tiny_bundle)]
    assert cli.main(["index", "build", *common, "--split", "train", "--out", str(index)]) == 0
    words = ["evaluate", *common, "--split", "val", "--index", str(index), "--out", str(out)]
    assert cli.main(words) == 0, capsys.readouterr().err
    report = read_vqa_report(out)
    assert tuple(report.systems) == VQA_SYSTEMS
    assert (report.task, report.n, report.n_closed, report.n_groups) == ("asked", 6, 3, 3)
    assert report.inconsistent_rate is not None
    # By hand: the most frequent answer to each question, among the images of the index.
    assert report.systems["frequent"].exact == frequent_by_hand(folder)


def frequent_by_hand(folder):
    from jomed_app.data.records import read_records

    records = read_records(folder)
    right = 0
    for place in (0, 1):
        known = [one.questions[place].answer for one in records[:-HELD_OUT]]
        best = min(set(known), key=lambda text: (-known.count(text), text))
        right += sum(one.questions[place].answer == best for one in records[-HELD_OUT:])
    return right / (2 * HELD_OUT)


def test_systems_of_labels_are_refused(task_file, tmp_path):
    with pytest.raises(ConfigError, match=r"among \['frequent', .*found \['knn'\]"):
        evaluate_task(
            str(task_file), tmp_path, "val", tmp_path, tmp_path, ["knn"], None, tmp_path, print
        )


def test_cases_without_questions_are_refused(
    task_file, tiny_corpus, tiny_bundle, tiny_index, tmp_path
):
    root, _ = tiny_corpus
    with pytest.raises(RecordError, match="needs cases with questions"):
        evaluate_questions(
            load_task(task_file), root, [], tiny_bundle, tiny_index, None, tmp_path / "r", print
        )


@pytest.fixture(scope="module")
def run(tiny_run, task_file, folder, tmp_path_factory):
    """The stage on the tiny run's base weights, started from its reader: two steps, then read."""
    out = tmp_path_factory.mktemp("questions_run") / "run"
    out.mkdir()
    for name in ("base", "align"):
        (out / name).symlink_to(tiny_run / name)
    values = {
        "tasks": [str(task_file)],
        "data": str(folder),
        "start": str(tiny_run / "reader" / "simulated"),
        "steps": 2,
        "images_per_step": 2,
        "num_hits": 2,
        "lr": 1e-3,
    }
    from jomed_app.config import config_to_dict

    config = config_from_dict({**config_to_dict(tiny_config()), "train_questions": values})
    steps = []
    tune_and_measure(
        config, out, on_progress=lambda done, total, **figures: steps.append((done, total, figures))
    )
    return out, steps, config


def test_the_stage_tunes_and_reads_what_is_held_out(run):
    out, steps, _ = run
    assert [step[:2] for step in steps] == [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]
    assert np.isfinite(steps[0][2]["loss"])
    assert (out / "reader" / "questions" / "checkpoint.safetensors").is_file()
    report = read_vqa_report(out / "vqa" / "report.asked.json")
    assert (report.n, report.n_groups) == (6, HELD_OUT)
    assert "## asked, val" in (out / "vqa" / "vqa.md").read_text(encoding="utf-8")


def test_a_start_that_is_not_there_is_said(run, tmp_path):
    from dataclasses import replace

    from jomed_app.errors import BundleError
    from jomed_app.training.questions import question_stage

    out, _, config = run
    settings = replace(config.train_questions, start="reader/absent")
    with pytest.raises(BundleError, match=r"requires checkpoint\.safetensors"):
        question_stage(replace(config, train_questions=settings), out)


def test_nothing_held_out_is_said(tmp_path):
    from tests.training.test_questions import ANSWERS, build_tiny_reader, make_table

    reader = build_tiny_reader(5, ANSWERS, image_size=64)
    with pytest.raises(ConfigError, match="hold no image"):
        measure_held_out(
            reader, make_table(reader, 3, 0), tiny_config(), tmp_path, on_progress=print
        )
