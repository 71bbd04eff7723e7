"""The localizers' part of the stage `reader`."""

from __future__ import annotations

import torch

from jomed_app.models.localizer.localizer import load_localizer
from jomed_app.training.localizer.stage import localizer_stage
from jomed_app.training.run.workspace import Workspace
from tests.tiny_models import build_tiny_tower
from tests.tiny_run import tiny_config, write_real_cases


def test_the_stage_writes_one_localizer_per_fold_and_one_of_all(tiny_real_cases, tmp_path):
    work = Workspace(tmp_path, tiny_config(tiny_real_cases))
    build_tiny_tower(0, 64).save_pretrained(work.base("tower"))
    write_real_cases(work.corpus("reader"))
    told = []
    localizer_stage(work, on_progress=lambda done, total, **figures: told.append(figures))
    folder = work.localizer("simulated").parent
    assert {path.name for path in folder.iterdir()} == {"simulated", "fold0", "fold1", "final"}
    assert sum("loss" in figures for figures in told) == 4 * 2
    first, other, start = (
        load_localizer(work.localizer(name)).state_dict()
        for name in ("fold0", "fold1", "simulated")
    )
    assert any(not torch.equal(value, start[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())
