"""The projector beside a frozen language model: it learns, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.config.training import AlignConfig, GraphConfig
from jomed_app.training.align.language import text_nodes, train_projector
from jomed_app.training.cases.tower_tokens import encode_corpus_tokens
from tests.tiny_models import build_tiny_reader
from tests.training.localizer.small_cases import drawn_cases

COUNT = 8


@pytest.fixture(scope="module")
def images():
    return drawn_cases(COUNT)


def trained(out, images, **changes):
    reader = build_tiny_reader(5, ("square",))
    values = {"language_steps": 6, "language_batch": 4, "loss": "graph+infonce"} | changes
    history = train_projector(
        reader,
        encode_corpus_tokens(reader, images),
        [each.passage for each in images.records],
        [each.extended_passage for each in images.records],
        AlignConfig(**values),
        GraphConfig(),
        out,
    )
    return reader, history


def test_only_the_projector_learns(tmp_path, images):
    reader, history = trained(tmp_path, images)
    before = build_tiny_reader(5, ("square",)).model.state_dict()
    moved = {
        name
        for name, value in reader.model.state_dict().items()
        if not torch.allclose(value.float(), before[name].float())
    }
    assert moved
    assert all("multi_modal_projector" in name for name in moved)
    assert all(each["grad_norm"] > 0 for each in history)
    first = history[0]
    assert first["loss"] == pytest.approx(first["language"] + first["graph"], rel=1e-4)
    assert 0 <= first["hamming"] <= 2


def test_without_a_graph_loss_only_language_teaches(tmp_path, images):
    _, history = trained(tmp_path, images, loss="infonce")
    assert "graph" not in history[0]
    assert history[0]["loss"] == history[0]["language"]


def test_the_language_loss_falls(tmp_path, images):
    _, history = trained(tmp_path, images, language_steps=30, loss="infonce", language_lr=2e-2)
    losses = [each["language"] for each in history]
    assert np.mean(losses[-5:]) < 0.97 * np.mean(losses[:5])


def test_padding_is_not_averaged_in():
    reader = build_tiny_reader(5, ("square",))
    short, long = "A square.", "A square, bright and large, lies here in the middle of the view."
    alone = text_nodes(reader, [short])
    together = text_nodes(reader, [long, short])
    torch.testing.assert_close(together[1], alone[0], atol=1e-4, rtol=1e-3)
