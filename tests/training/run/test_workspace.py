from __future__ import annotations

from itertools import chain

import pytest
import torch

from jomed_app.data.records import read_records
from jomed_app.errors import BundleError, ConfigError
from jomed_app.models.towers.tokens import pooled_size
from jomed_app.training.run.workspace import CORPORA, Workspace, groups_of
from tests.tiny_run import tiny_base_weights, tiny_config


@pytest.fixture
def work(tmp_path):
    return Workspace(tmp_path / "run", tiny_config())


def test_every_part_has_its_folder(work, tmp_path):
    root = tmp_path / "run"
    assert work.base("tower") == root / "base" / "tower"
    assert work.corpus("index") == root / "sim" / "index"
    assert work.align == root / "align"
    assert work.reader("fold0") == root / "reader" / "fold0"
    assert work.localizer("fold0") == root / "localizer" / "fold0"
    assert work.tuned("fold0") == root / "rewards" / "fold0"
    assert work.chosen_localizer("fold0") == work.localizer("fold0")
    tuned = work.config.train_rewards.replaced(ship=True)
    shipping = Workspace(root, work.config.replaced(train_rewards=tuned))
    assert shipping.chosen_localizer("fold0") == work.tuned("fold0")
    assert work.task.name == "breast"


def test_readings_with_the_heads_of_one_fold_are_forgotten(work):
    seeds = (None, 0, 1)
    names = ("raw", "raw.index")
    files = {
        (name, seed, fold): work.reading(
            name if seed is None else work.joint_name(name, seed), fold
        )
        for name in names
        for seed in seeds
        for fold in ("fold1", "fold11")
    }
    report = work.root / "cv" / "report.joint1.json"
    report.parent.mkdir(parents=True)
    for path in (*files.values(), report):
        path.write_text("{}")
    work.forget_joint_readings("fold1")
    for (_, seed, fold), path in files.items():
        assert path.is_file() is (seed is None or fold == "fold11"), path.name
    assert report.is_file()
    work.forget_joint_readings("fold1")  # again, and where nothing was read: no fault
    work.forget_joint_readings("final")


def test_a_changed_reader_takes_its_answers_heads_and_readings_with_it(work):
    files = {
        fold: [
            work.reading("raw", fold),
            work.reading(work.joint_name("raw.index", 1), fold),
            work.retriever(fold) / "answers.npz",
            work.retriever(fold) / "seed0" / "text" / "checkpoint.safetensors",
        ]
        for fold in ("fold1", "fold11")
    }
    for path in chain(*files.values()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    work.forget_answers("fold1")
    work.forget_answers("fold1")  # again: no fault
    assert not any(path.exists() for path in files["fold1"])
    assert all(path.is_file() for path in files["fold11"])


@pytest.mark.parametrize(
    ("data", "shipped_fold", "shipped", "trained"),
    [
        (None, -1, "simulated", []),
        ("cases", -1, "final", [0, 1, None]),
        ("cases", 1, "fold1", [0, 1]),
    ],
)
def test_what_is_trained_and_shipped(tmp_path, data, shipped_fold, shipped, trained):
    config = tiny_config(data and tmp_path / data)
    settings = config.train_reader.replaced(shipped_fold=shipped_fold)
    work = Workspace(tmp_path, config.replaced(train_reader=settings))
    assert (work.shipped, work.trained_folds) == (shipped, trained)


def test_base_weights_are_converted_once(work, monkeypatch):
    with tiny_base_weights():
        work.prepare_base()
    written = {path: path.stat().st_mtime_ns for path in work.root.rglob("*") if path.is_file()}
    assert {path.parent.name for path in written} == {"tower", "language", "passages"}

    def again(*args, **more):
        raise AssertionError("converted twice")

    for name in ("convert_vision_tower", "convert_language_model", "convert_passage_encoder"):
        monkeypatch.setattr(f"jomed_app.training.run.workspace.{name}", again)
    work.prepare_base()


def test_a_conversion_that_stopped_half_way_is_done_again(work):
    with tiny_base_weights():
        work.prepare_base()
        (work.base("language") / "tokenizer.json").unlink()
        work.prepare_base()
    assert (work.base("language") / "tokenizer.json").is_file()


def test_the_corpora_share_no_case(work):
    seen = []
    with tiny_base_weights():
        for name in CORPORA:
            work.simulate(name, lambda done, total: seen.append((done, total)))
    ids = [record.case_id for name in CORPORA for record in work.simulated(name)]
    assert len(ids) == len(set(ids)) == 8 + 6 + 12
    assert seen[-1] == (12, 12)
    assert read_records(work.corpus("align")) == work.simulated("align")


def test_the_reader_needs_the_stage_before_it(work):
    with pytest.raises(ConfigError, match="requires the stage 'align'; run: train align first"):
        work.projections()


def test_fresh_projections_fit_tower_and_passages(work):
    with tiny_base_weights():
        work.prepare_base()
    projections = work.fresh_projections()
    tower = work.fresh_tower()
    encoder, _ = work.passage_encoder()
    assert projections.config.dim == 16
    assert projections.config.feature_size == pooled_size(tower.config)
    assert projections.config.passage_size == encoder.config.hidden_size


def test_a_reader_goes_on_from_a_checkpoint(tiny_run):
    work = Workspace(tiny_run, tiny_config())
    fresh, _ = work.trainable_reader()
    tuned, _ = work.trainable_reader(work.reader("simulated"))
    again, _ = work.trainable_reader(work.reader("simulated"))
    names = [name for name, value in tuned.model.named_parameters() if value.requires_grad]
    assert any("lora" in name for name in names)
    assert not any("vision_tower" in name for name in names)
    first, second, untouched = (
        dict(reader.model.named_parameters()) for reader in (tuned, again, fresh)
    )
    assert all(torch.equal(first[name], second[name]) for name in names)
    assert any(not torch.equal(first[name], untouched[name]) for name in names)
    for name, value in first.items():
        if not value.requires_grad:
            assert torch.equal(value, untouched[name]), name


def test_a_checkpoint_of_another_rank_is_refused(tiny_run):
    config = tiny_config()
    wide = config.replaced(reader=config.reader.replaced(lora_rank=4))
    work = Workspace(tiny_run, wide)
    with pytest.raises((BundleError, RuntimeError)):
        work.trainable_reader(work.reader("simulated"))


def test_a_missing_checkpoint_says_so(tiny_run):
    work = Workspace(tiny_run, tiny_config())
    with pytest.raises(BundleError, match=r"requires checkpoint.safetensors; found none"):
        work.trainable_reader(work.reader("fold9"))


def test_a_case_without_a_group_stands_alone(tiny_corpus):
    _, records = tiny_corpus
    twins = [
        records[0].model_copy(update={"group": "g"}),
        records[1].model_copy(update={"group": ""}),
    ]
    assert groups_of(twins) == ["g", records[1].case_id]
