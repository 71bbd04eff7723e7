"""The folder of a run that tunes named models: what goes on from what, and what is forgotten."""

from __future__ import annotations

import pytest

from jomed_app.config.backbones import BackbonesConfig, load_backbones
from jomed_app.config.load import load_recipe
from jomed_app.training.run.named_run import TUNED_FILE, NamedRun

VALUES = {
    "task": "breast",
    "question": 'What is "it"?',
    "reader": {"model": "org/reader", "revision": "0" * 40, "adapter": "elsewhere"},
    "retriever": {"model": "org/retriever", "revision": "1" * 40},
    "train_reader": {"lr": 1e-5, "steps": 3},
}


@pytest.fixture
def run(tmp_path):
    return NamedRun(tmp_path / "run", BackbonesConfig.model_validate(VALUES))


def test_a_stage_goes_on_from_the_one_before(run):
    assert str(run.adapter_before("reader")) == "elsewhere"
    for stage, before in {"reader": "align", "rewards": "reader", "retriever": "rewards"}.items():
        run.adapter(before).mkdir(parents=True)
        assert run.adapter_before(stage) == run.adapter(before)
    assert str(run.adapter_before("align")) == "elsewhere"


def test_the_tuned_file_reads_back_as_the_file_with_what_was_left(run):
    run.adapter("reader").mkdir(parents=True)
    run.heads.mkdir(parents=True)
    run.keep_tuned()
    again = load_backbones(run.root / TUNED_FILE)
    assert isinstance(again, BackbonesConfig)
    assert again == run.config.replaced(
        reader=run.config.reader.replaced(adapter=str(run.adapter("reader"))),
        retriever=run.config.retriever.replaced(heads=str(run.heads)),
    )
    assert again.train_reader.steps == 3
    assert str(run.root) not in (run.root / TUNED_FILE).read_text(), "the folder may be moved"
    assert load_recipe(run.root / TUNED_FILE, ["train_reader.steps=5"]).train_reader.steps == 5


def test_a_reader_that_changed_takes_its_answers_with_it(run):
    for stage in ("align", "rewards", "retriever"):
        run.folder(stage).mkdir(parents=True)
    run._forget_after("reader")
    assert [run.folder(stage).is_dir() for stage in ("align", "rewards", "retriever")] == [
        True,
        False,
        False,
    ]
