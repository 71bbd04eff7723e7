from __future__ import annotations

import pytest
import torch

from jomed_app.config.load import config_from_dict, config_to_dict
from jomed_app.errors import BundleError
from jomed_app.training.run.loop import trainable_state
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_base_weights, tiny_config


def started_from(run, out, data=None) -> Workspace:
    values = config_to_dict(tiny_config(data))
    values["train_reader"] |= {"start_from": str(run), "folds": 1}
    work = Workspace(out, config_from_dict(values))
    with tiny_base_weights():
        work.prepare_base()
    return work


def test_a_reader_starts_where_another_run_ended(tiny_run, tmp_path):
    work = started_from(tiny_run, tmp_path)
    source = Workspace(tiny_run, tiny_config())
    theirs, _ = source.trainable_reader(source.reader("simulated"))
    fresh, _ = work.trainable_reader()
    ours, _ = work.starting_reader()
    expected = trainable_state({"reader": theirs.model})
    untouched = trainable_state({"reader": fresh.model})
    moved = 0
    for name, value in trainable_state({"reader": ours.model}).items():
        assert torch.equal(value, expected[name]), name
        moved += not torch.equal(value, untouched[name])
    assert moved > 0


def test_the_other_runs_alignment_is_used_and_not_copied(tiny_run, tmp_path):
    work = started_from(tiny_run, tmp_path)
    assert work.align == tiny_run / "align"
    assert work.base("tower") == tiny_run / "base" / "tower"
    assert work.base("language") == tmp_path / "base" / "language"
    assert not (tmp_path / "align").exists()


def test_a_run_without_a_reader_cannot_be_started_from(tiny_run, tmp_path):
    work = started_from(tiny_run, tmp_path / "own")
    bare = tmp_path / "bare"
    for part in ("align", "base"):
        (bare / part).parent.mkdir(parents=True, exist_ok=True)
        (bare / part).symlink_to(tiny_run / part)
    values = config_to_dict(work.config)
    values["train_reader"]["start_from"] = str(bare)
    with pytest.raises(BundleError, match=r"start_from requires a run with reader/simulated"):
        Workspace(tmp_path / "own", config_from_dict(values)).starting_reader()
