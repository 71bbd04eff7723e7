"""Held-out questions right after the stage that tunes: read, written, told apart by twins."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.config.load import config_from_dict, config_to_dict
from jomed_app.errors import BundleError, ConfigError
from jomed_app.evaluation.questions.held_out import measure_held_out, tune_and_measure
from jomed_app.evaluation.questions.read import JOINT_SYSTEM, VQA_SYSTEMS
from jomed_app.evaluation.report.questions import read_vqa_report
from jomed_app.training.questions.train import question_stage
from tests.evaluation.questions.asked_images import HELD_OUT, write_asked_images, write_asked_task
from tests.tiny_models import build_tiny_reader
from tests.tiny_run import tiny_config
from tests.training.questions.test_train import ANSWERS, make_table

TAUGHT = 4


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """The stage on the tiny run's base weights, started from its reader: two steps, then read."""
    out = tmp_path_factory.mktemp("questions_run") / "run"
    out.mkdir()
    for name in ("base", "align"):
        (out / name).symlink_to(tiny_run / name)
    values = {
        "tasks": [str(write_asked_task(tmp_path_factory.mktemp("task")))],
        "data": str(write_asked_images(tmp_path_factory.mktemp("asked"))),
        "start": str(tiny_run / "reader" / "simulated"),
        "steps": 2,
        "images_per_step": 2,
        "num_hits": 2,
        "lr": 1e-3,
        "taught_questions": TAUGHT,
        "taught_candidates": 3,
    }
    config = config_from_dict({**config_to_dict(tiny_config()), "train_questions": values})
    steps = []
    tune_and_measure(
        config, out, on_progress=lambda done, total, **figures: steps.append((done, total, figures))
    )
    return out, steps, config


def test_the_stage_tunes_teaches_and_reads_what_is_held_out(run):
    out, steps, _ = run
    told = [(step, of) for of in (2, TAUGHT, HELD_OUT) for step in range(1, of + 1)]
    assert [step[:2] for step in steps] == told
    assert np.isfinite(steps[0][2]["loss"])
    assert (out / "reader" / "questions" / "checkpoint.safetensors").is_file()
    report = read_vqa_report(out / "vqa" / "report.asked.json")
    assert (report.n, report.n_groups) == (6, HELD_OUT)
    assert tuple(report.systems) == (*VQA_SYSTEMS, JOINT_SYSTEM)
    assert (out / "retriever" / "questions" / "projections").is_dir()
    assert "## asked, val" in (out / "vqa" / "vqa.md").read_text(encoding="utf-8")


def test_questions_about_a_copy_of_a_training_image_are_told_apart(run):
    out, _, _ = run
    clean = read_vqa_report(out / "vqa" / "report.asked.json").clean
    assert (clean.n, clean.n_open, clean.n_closed, clean.n_groups) == (4, 2, 2, HELD_OUT - 1)
    assert tuple(clean.systems) == (*VQA_SYSTEMS, JOINT_SYSTEM)
    assert "4 questions (2 open, 2 closed)" in (out / "vqa" / "vqa.md").read_text(encoding="utf-8")


def test_a_start_that_is_not_there_is_said(run, tmp_path):
    out, _, config = run
    settings = config.train_questions.replaced(start="reader/absent")
    with pytest.raises(BundleError, match=r"requires checkpoint\.safetensors"):
        question_stage(config.replaced(train_questions=settings), out)


def test_without_a_trained_head_there_is_no_joint(tmp_path):
    reader = build_tiny_reader(5, ANSWERS, image_size=64)
    table = make_table(reader, 4, 1)
    paths = measure_held_out(reader, table, tiny_config(), tmp_path)
    assert [path.name for path in paths] == ["report.slake.json", "vqa.md"]
    report = read_vqa_report(paths[0])
    assert tuple(report.systems) == VQA_SYSTEMS
    assert report.n == 3
    assert report.clean is None, "nobody looked for twins"


def test_nothing_held_out_is_said(tmp_path):
    reader = build_tiny_reader(5, ANSWERS, image_size=64)
    with pytest.raises(ConfigError, match="hold no image"):
        measure_held_out(
            reader, make_table(reader, 3, 0), tiny_config(), tmp_path, on_progress=print
        )
