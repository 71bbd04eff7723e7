"""The stage `align`: tower and projections move; the projector is handed on."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file

from jomed_app.config.load import config_from_dict, config_to_dict
from jomed_app.errors import ConfigError
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.models.towers.efficientnet_lite import EfficientNetLiteModel
from jomed_app.training.align.stage import align_stage
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_base_weights, tiny_config


@pytest.fixture(scope="module")
def work(tiny_run, tiny_real_cases):
    return Workspace(tiny_run, tiny_config(tiny_real_cases))


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


def test_a_loss_that_is_none_is_said_before_anything_is_made(tmp_path):
    config = tiny_config()
    config = config.replaced(align=config.align.replaced(loss="infonse"))
    with pytest.raises(ConfigError, match="found 'infonse'"):
        align_stage(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


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
