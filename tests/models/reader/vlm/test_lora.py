"""A reader of every family with an adapter: it learns answers, and nothing else of it moves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from jomed_app.errors import ConfigError
from jomed_app.models.loading import is_repacked
from jomed_app.models.reader.vlm.lora import attach_adapter
from tests.models.reader.vlm.conftest import QUESTION

LABELS = ["malignant", "benign", "normal"]
STEPS = 8


@pytest.fixture
def rows_of(pictures):
    """Rows of a reader: the query beside three candidates."""

    def rows(reader):
        query, *others = reader.encode(pictures)
        shown = [reader.candidate(each, "benign", "oval, parallel") for each in others]
        return query, shown, [reader.writer.beside(query, QUESTION, each) for each in shown]

    return rows


def learn(tuned, rows, answers, steps=STEPS, lr=2e-2):
    """Losses of plain steps of AdamW on one batch."""
    weights = [each for each in tuned.model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr)
    losses = []
    tuned.learn()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = -tuned.answer_log_prob(rows, answers).sum(-1).mean()
        loss.backward()
        assert all(each.grad is not None for each in weights)
        optimizer.step()
        losses.append(float(loss.detach()))
    tuned.rest()
    return losses


def scores(reader, rows):
    ids = [reader.writer.answer(label) for label in LABELS]
    return reader.tree.score(reader.tree.read(rows), ids)


def test_an_adapter_learns_answers_alone(family, load_tiny, rows_of, tmp_path):
    reader = load_tiny(family)
    _, _, rows = rows_of(reader)
    before = scores(reader, rows)
    frozen = {name: value.clone() for name, value in reader.model.state_dict().items()}
    tuned = attach_adapter(reader)
    assert torch.equal(scores(reader, rows), before), "a fresh adapter changes nothing"
    answers = [reader.writer.answer(label) for label in LABELS]
    with torch.no_grad():
        said = tuned.answer_log_prob(rows, answers).sum(-1)
    torch.testing.assert_close(said, before.diagonal(), atol=1e-4, rtol=0)

    losses = learn(tuned, rows, answers)
    assert losses[0] == pytest.approx(float(-said.mean()), abs=1e-3)
    assert losses[-1] < 0.6 * losses[0]
    after = scores(reader, rows)
    plain = {name.replace(".base_layer", ""): v for name, v in reader.model.state_dict().items()}
    assert all(torch.equal(plain[name], value) for name, value in frozen.items())
    with tuned.set_aside():
        assert torch.equal(scores(reader, rows), before)

    tuned.save(tmp_path / "adapter", base="tiny")
    again = load_tiny(family, adapter=str(tmp_path / "adapter"))
    _, _, same = rows_of(again)
    torch.testing.assert_close(scores(again, same), after, atol=1e-5, rtol=0)
    fresh = load_tiny(family)
    attach_adapter(fresh, start=tmp_path / "adapter")
    torch.testing.assert_close(scores(fresh, rows_of(fresh)[2]), after, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "gemma3", "llava15"])
@pytest.mark.parametrize("precision", ["bf16", "int8", "nf4"])
def test_quantized_weights_learn_through_an_adapter(name, precision, load_tiny, rows_of):
    reader = load_tiny(name, precision=precision)
    tuned = attach_adapter(reader)
    _, _, rows = rows_of(reader)
    scores(reader, rows)  # an answer before: it must not stop the gradient
    learns = [each for each in tuned.model.parameters() if each.requires_grad]
    assert {each.dtype for each in learns} == {torch.float32}
    losses = learn(tuned, rows, [reader.writer.answer(label) for label in LABELS])
    assert losses[-1] < 0.7 * losses[0]
    assert not is_repacked(reader.model)


def test_four_bits_that_answered_are_refused_or_learn(load_tiny, rows_of):
    """Where a processor lays 4-bit layers out, gradients would be lost without an error."""
    reader = load_tiny("llava15", precision="nf4")
    _, _, rows = rows_of(reader)
    scores(reader, rows)
    if is_repacked(reader.model):
        with pytest.raises(ValueError, match="must be tuned before it answers"):
            attach_adapter(reader)
        return
    losses = learn(attach_adapter(reader), rows, [reader.writer.answer(each) for each in LABELS])
    assert losses[-1] < 0.7 * losses[0]


def test_hidden_tokens_are_as_if_absent_from_sight(load_tiny, rows_of):
    """What a row hides cannot move its answer, and what it shows can."""
    tuned = attach_adapter(load_tiny("qwen2_5_vl"))
    reader = tuned.reader
    _, _, rows = rows_of(reader)
    answers = [reader.writer.answer("malignant")] * 3
    lost = [range(row.starts[0], row.starts[0] + len(row.images[0].features)) for row in rows]
    with torch.no_grad():
        seen = tuned.answer_log_prob(rows, answers)
        unseen = tuned.answer_log_prob(rows, answers, lost)
        image = replace(rows[0].images[0], features=torch.zeros_like(rows[0].images[0].features))
        black = [replace(row, images=[image, *row.images[1:]]) for row in rows]
        other = tuned.answer_log_prob(black, answers)
        still = tuned.answer_log_prob(black, answers, lost)
    assert torch.equal(unseen, still)
    assert not torch.allclose(seen, other, atol=1e-3)


def test_answers_of_other_lengths_begin_together(load_tiny, rows_of):
    tuned = attach_adapter(load_tiny("llava15"))
    _, _, rows = rows_of(tuned.reader)
    short, long = ([tuned.reader.writer.answer(each)] for each in ("a", "invasive ductal none"))
    with torch.no_grad():
        together = tuned.answer_log_prob(rows[:2], short + long)
        alone = tuned.answer_log_prob(rows[:1], short)
    length = len(short[0])
    torch.testing.assert_close(together[0, :length], alone[0], atol=1e-4, rtol=0)
    assert not together[0, length:].any()
    assert together[1].all()
    with pytest.raises(ValueError, match="at least one token"):
        tuned.answer_log_prob(rows[:1], [[]])


def test_a_folder_without_an_adapter_is_one_sentence(load_tiny, tmp_path):
    with pytest.raises(ConfigError, match=r"reader\.adapter must be a folder that PEFT wrote"):
        attach_adapter(load_tiny("llava15"), start=tmp_path)
