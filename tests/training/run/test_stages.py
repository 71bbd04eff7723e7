from __future__ import annotations

import hashlib
import json
import shutil
from itertools import chain

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from jomed_app.config.load import config_from_dict, config_to_dict
from jomed_app.errors import ConfigError
from jomed_app.models.localizer.localizer import load_localizer
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.models.vision_tower import EfficientNetLiteModel
from jomed_app.training.cases.table import load_reader_table
from jomed_app.training.localizer.train import frozen_tower, keep_real
from jomed_app.training.rewards.stage import HELD_OUT_FILE, rewards_stage, with_fewer_views
from jomed_app.training.run.stages import align_stage, reader_stage
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import NUM_REAL, tiny_base_weights, tiny_config


@pytest.fixture(scope="module")
def work(tiny_run, tiny_real_cases):
    return Workspace(tiny_run, tiny_config(tiny_real_cases))


@pytest.fixture(scope="module")
def table(work):
    reader, _ = work.trainable_reader()
    return load_reader_table(work, reader)


def weights(module) -> dict[str, torch.Tensor]:
    return module.state_dict()


def test_align_moves_tower_and_projections_but_no_query_head(work):
    base = weights(EfficientNetLiteModel.from_pretrained(work.base("tower")))
    aligned = weights(EfficientNetLiteModel.from_pretrained(work.align / "tower"))
    assert any(not torch.equal(base[name], aligned[name]) for name in base)
    projections = RetrieverProjections.from_pretrained(work.align / "projections")
    fresh = work.fresh_projections()
    for head in projections.query_heads.values():
        assert not head.weight.any()
    assert projections.image.weight.shape == fresh.image.weight.shape
    for name in ("image", "text"):
        gram = getattr(projections, name).weight @ getattr(projections, name).weight.T
        assert not torch.allclose(gram, torch.eye(16), atol=1e-6), "no longer as initialized"


def test_the_reader_starts_from_the_projector_that_align_left(tiny_run, tmp_path):
    """Graph loss, kept views, then the projector beside the language model."""
    out = shutil.copytree(tiny_run, tmp_path / "run")
    values = config_to_dict(tiny_config())
    values["align"] |= {"loss": "graph+infonce", "trained": "last", "language_steps": 2}
    values["align"] |= {"language_batch": 3}
    with tiny_base_weights():
        align_stage(config_from_dict(values), out)
    described = Workspace(out, tiny_config())
    start = weights(described.plain_reader().model.model.multi_modal_projector)
    kept = load_file(out / "align" / "projector.safetensors")
    for name, value in kept.items():
        torch.testing.assert_close(start[name].float(), value, atol=1e-2, rtol=1e-2)
    (out / "align" / "projector.safetensors").unlink()
    fresh = weights(described.plain_reader().model.model.multi_modal_projector)
    assert any(not torch.equal(fresh[name], start[name]) for name in start)


@pytest.mark.parametrize("part", ["reader", "localizer"])
def test_all_readers_and_localizers_are_written(work, part):
    names = {path.name for path in (work.root / part).iterdir()}
    assert names == {"simulated", "fold0", "fold1", "final"}


def test_the_table_holds_simulated_cases_first(table, work):
    assert len(table.simulated) == 12
    assert len(table.real) == NUM_REAL, "the test split stays out"
    assert table.tokens.shape[0] == len(table.records) == 12 + NUM_REAL
    assert {record.split for record in table.records[12:]} == {"train", "val"}
    assert table.features.shape[0] == len(table.records)
    np.testing.assert_allclose(np.linalg.norm(table.passages, axis=1), 1.0, atol=1e-3)


def test_the_space_of_images_is_fitted_on_what_a_fold_may_see(table):
    whole, first, second = (table.fold_projections(fold).visual.weight for fold in (None, 0, 1))
    assert not torch.allclose(first, second)
    assert not torch.allclose(whole, first)
    assert torch.equal(first, table.fold_projections(0).visual.weight)


def test_folds_share_no_group_and_cover_all(table):
    held = [set(table.held_out_rows(fold).tolist()) for fold in range(2)]
    assert held[0] | held[1] == set(table.real.tolist())
    assert not held[0] & held[1]
    for fold in range(2):
        assert set(table.training_rows(fold).tolist()) == held[1 - fold]
        groups = [{table.records[row].group for row in rows} for rows in held]
        assert not groups[0] & groups[1]
    assert set(table.training_rows(None).tolist()) == set(table.real.tolist())


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


def test_rewards_may_draw_from_the_first_of_the_kept_views_alone(work):
    every, folds = keep_real(work, frozen_tower(work))
    rewards = work.config.train_rewards.replaced(views=1)
    config = with_fewer_views(work.config.replaced(train_rewards=rewards))
    first, same = keep_real(Workspace(work.root, config), frozen_tower(work))
    assert (len(every.maps), len(first.maps)) == (2, 1)
    assert torch.equal(every.maps[:1], first.maps)
    assert torch.equal(every.boxes[:1].nan_to_num(), first.boxes.nan_to_num())
    assert (folds == same).all()


def test_rewards_tune_every_localizer_and_keep_the_old_ones(work, tmp_path):
    out = shutil.copytree(work.root, tmp_path / "run")
    tuned, steps = Workspace(out, work.config), []

    def note(done, total, **figures):
        steps.extend([figures] if figures else [])

    def run(**more):
        rewards_stage(work.config, out, on_progress=note, **more)

    run()
    names = ["fold0", "fold1", "final"]
    settings = work.config.train_rewards
    assert len(steps) == 3 * settings.policies * settings.steps * settings.updates
    assert {"reward", "localization", "vision", "kl"} <= set(steps[0])
    for name in names:
        old, untouched = (weights(load_localizer(each.localizer(name))) for each in (work, tuned))
        new = weights(load_localizer(tuned.tuned(name)))
        assert all(torch.equal(value, untouched[key]) for key, value in old.items())
        assert any(not torch.equal(value, new[key]) for key, value in old.items())
    told = {name: json.loads((tuned.tuned(name) / HELD_OUT_FILE).read_text()) for name in names}
    assert told["final"] == {"cases": 0, "before": None, "after": None}
    assert sum(each["cases"] for each in told.values()) == NUM_REAL
    assert all(0 <= told["fold0"][when] <= 1 for when in ("before", "after"))
    steps.clear()
    run(resume=True)
    assert steps == []


def test_rewards_need_a_localizer(work, tmp_path):
    message = "the stage 'rewards' requires the localizer 'fold0'; run: train reader first"
    with pytest.raises(ConfigError, match=message):
        rewards_stage(work.config, tmp_path)
