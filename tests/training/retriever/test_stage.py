"""The stage `retriever`: what it leaves on disk."""

from __future__ import annotations

import shutil

from jomed_app.training.retriever.stage import retriever_stage
from tests.tiny_run import tiny_config


def test_new_heads_take_the_readings_of_the_old_ones_with_them(tiny_run, tiny_real_cases, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = {path.name for path in (run / "cv").iterdir()}
    retriever_stage(tiny_config(tiny_real_cases), run)
    gone = before - {path.name for path in (run / "cv").iterdir()}
    assert gone == {
        f"{name}.fold{fold}.json"
        for name in ("raw.joint0", "raw.joint1", "raw.index.joint0")
        for fold in range(2)
    }
