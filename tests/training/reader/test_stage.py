"""The stage `reader`: readers and localizers of every fold, made once and resumed."""

from __future__ import annotations

import hashlib
import shutil
from itertools import chain

import numpy as np
import pytest

from jomed_app.training.align.stage import align_stage
from jomed_app.training.reader.stage import reader_stage
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_base_weights, tiny_config


@pytest.fixture(scope="module")
def work(tiny_run, tiny_real_cases):
    return Workspace(tiny_run, tiny_config(tiny_real_cases))


@pytest.mark.parametrize("part", ["reader", "localizer"])
def test_all_readers_and_localizers_are_written(work, part):
    names = {path.name for path in (work.root / part).iterdir()}
    assert names == {"simulated", "fold0", "fold1", "final"}


@pytest.mark.parametrize("part", ["reader", "localizer"])
def test_the_folds_are_different_models(work, part):
    digests = {
        hashlib.sha256((folder / "checkpoint.safetensors").read_bytes()).hexdigest()
        for folder in (work.root / part).iterdir()
    }
    assert len(digests) == 4


def test_a_finished_run_resumes_without_a_step(work):
    paths = [
        *work.root.glob("reader/*/checkpoint.safetensors"),
        *work.root.glob("localizer/*/model.safetensors"),
        work.align / "checkpoint.safetensors",
    ]
    before = {path: path.read_bytes() for path in paths}
    steps = []
    with tiny_base_weights():
        align_stage(
            work.config, work.root, resume=True, on_progress=lambda *a, **k: steps.append(k)
        )
        reader_stage(
            work.config, work.root, resume=True, on_progress=lambda *a, **k: steps.append(k)
        )
    assert not any("loss" in figures for figures in steps)
    assert {path: path.read_bytes() for path in paths} == before


def test_a_reader_trained_anew_takes_what_the_older_one_said_with_it(work, tmp_path):
    again = Workspace(shutil.copytree(work.root, tmp_path / "run"), work.config)
    files = {
        name: (again.reading("raw", name), again.retriever(name) / "answers.npz")
        for name in ("fold0", "fold1")
    }
    for path in chain(*files.values()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    shutil.rmtree(again.reader("fold0"))
    with tiny_base_weights():
        reader_stage(work.config, again.root, resume=True)
    assert not any(path.exists() for path in files["fold0"])
    assert all(path.is_file() for path in files["fold1"])


def test_without_real_cases_only_simulated_ones_are_learned(tmp_path):
    config = tiny_config()
    losses = []

    def on_progress(done, total, **figures):
        losses.extend([figures["loss"]] if "loss" in figures else [])

    with tiny_base_weights():
        align_stage(config, tmp_path)
        reader_stage(config, tmp_path, on_progress=on_progress)
    for part in ("reader", "localizer"):
        assert [path.name for path in (tmp_path / part).iterdir()] == ["simulated"]
    steps = config.train_reader.simulated_steps, config.train_localizer.simulated_steps
    assert len(losses) == sum(steps)
    assert all(np.isfinite(losses))
