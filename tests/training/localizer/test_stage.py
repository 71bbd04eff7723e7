"""The localizers' part of the stage `reader`."""

from __future__ import annotations

import pytest
import torch

from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError
from jomed_app.models.localizer.localizer import load_localizer
from jomed_app.training.localizer.stage import fresh_localizer, frozen_tower, localizer_stage
from jomed_app.training.run.workspace import Workspace
from tests.tiny_models import build_tiny_dinov2, build_tiny_tower
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


def test_a_lent_tower_is_the_readers(tmp_path):
    """Where it is lent, what the reader sees is what localizers learn behind."""
    work = Workspace(tmp_path, tiny_config())
    base, aligned = build_tiny_dinov2(0), build_tiny_dinov2(1)
    base.save_pretrained(work.base("tower"))
    aligned.save_pretrained(work.align / "tower")
    found = frozen_tower(work)
    assert torch.equal(found.layernorm.weight, aligned.layernorm.weight)
    first = found.encoder.layer[0].mlp.fc1.weight
    assert torch.equal(first, aligned.encoder.layer[0].mlp.fc1.weight)


@pytest.mark.parametrize(
    ("tower", "values", "message"),
    [
        (build_tiny_tower, {"image_size": 56}, "train_localizer.image_size .* of 32, found 56"),
        (build_tiny_dinov2, {"image_size": 64}, "train_localizer.image_size .* of 14, found 64"),
        (build_tiny_dinov2, {"image_size": 56}, "train_localizer.stride must be 7 or 14, found 16"),
    ],
)
def test_a_map_that_the_tower_does_not_have_is_refused(tower, values, message):
    config = tiny_config().train_localizer.replaced(**values)
    with pytest.raises(ConfigError, match=message):
        fresh_localizer(tower(), load_task("breast"), config, 16)
