"""The projector learns to spell: by hand, on images it has not seen, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.training.reader.spelling import WordSums, spell_labels
from tests.tiny_models import build_tiny_reader

LABELS = ["benign", "malignant", "normal"]
KINDS = np.arange(60) % 3


@pytest.fixture
def reader():
    reader = build_tiny_reader(3, LABELS)
    reader.model.model.multi_modal_projector.float()
    return reader


def seen_tokens(reader) -> torch.Tensor:
    """(2, 60, T, C): a direction a label beneath three times as much noise, two views."""
    generator = torch.Generator().manual_seed(4)
    count, width = reader.prompts.query_tokens, int(reader.tower.config.hidden_size)
    kinds = torch.randn(3, 1, width, generator=generator)[torch.from_numpy(KINDS)]
    return kinds + 3 * torch.randn(2, 60, count, width, generator=generator)


def spell(reader, tokens, out, steps=40, **more):
    rows = np.arange(30)
    labels = [LABELS[KINDS[row]] for row in rows]
    return spell_labels(reader, tokens, rows, labels, LABELS, out, steps=steps, **more)


def test_the_sums_by_hand():
    """Words at the corners of a triangle; what all have in common is no direction."""
    words = torch.tensor([[5.0, 1.0], [5.0, -1.0]])
    sums = WordSums(words, num_leading=1)
    features = torch.tensor([[[9.0, 3.0], [4.0, 1.0], [4.0, 0.0]]])
    leading, patches = sums(features)
    assert leading.tolist() == [[6.0, -6.0]]  # scale 2 x the second channel
    assert patches.tolist() == [[1.0, -1.0]]
    (alone,) = WordSums(words, num_leading=0)(features)
    torch.testing.assert_close(alone, torch.tensor([[8 / 3, -8 / 3]]))


def test_unseen_images_are_spelled_and_nothing_else_moves(reader, tmp_path):
    tokens = seen_tokens(reader)
    before = {name: value.clone() for name, value in reader.model.state_dict().items()}
    history = spell(reader, tokens, tmp_path)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    moved = {
        name
        for name, value in reader.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert moved
    assert all("multi_modal_projector" in name for name in moved)

    first = [reader.prompts.answer(f" {label}")[0] for label in LABELS]
    sums = WordSums(reader.model.get_input_embeddings().weight[first], 0)
    with torch.no_grad():
        (said,) = sums(reader.model.model.multi_modal_projector(tokens[0, 30:]))
    assert np.mean(said.argmax(1).numpy() == KINDS[30:]) > 0.8


def test_a_finished_run_is_taken_up_without_a_step(tmp_path):
    whole, broken = build_tiny_reader(3, LABELS), build_tiny_reader(3, LABELS)
    tokens = seen_tokens(whole)
    spell(whole, tokens, tmp_path / "whole", steps=4)
    assert spell(broken, tokens, tmp_path / "whole", steps=4, resume=True) == []
    for one, other in zip(
        whole.model.model.multi_modal_projector.parameters(),
        broken.model.model.multi_modal_projector.parameters(),
        strict=True,
    ):
        assert torch.equal(one, other)
