"""The loss of a packed step is that of every answer read in a row of its own."""

from __future__ import annotations

import pytest
import torch

from jomed_app.models.number_type import compute_dtype
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.training.reader.packing import Block
from jomed_app.training.reader.step import answer_step_loss
from tests.tiny_models import build_tiny_reader

QUESTION = "What is it?"
ANSWERS = (" malignant", " yes and no")


@pytest.fixture
def reader():
    return build_tiny_reader(4, ["benign", "malignant"])


@pytest.fixture
def shown(reader):
    """A query's image and a candidate."""
    generator = torch.Generator().manual_seed(6)
    images = reader.encode_pixels(torch.randn(2, 3, 128, 128, generator=generator))
    pooled = reader.pool_features(images[1].features)
    return images[0], CandidateInput(pooled, "benign", "An oval mass.")


def blocks_of(reader, candidate, weights=(1.0, 1.0)):
    prompts = [reader.prompts.candidate(candidate.label, candidate.passage)]
    prompts.append(reader.prompts.no_candidate())
    answers = [reader.prompts.answer(answer, complete=True) for answer in ANSWERS]
    return [
        Block(prompt, answer, [weight] * len(answer))
        for prompt, answer, weight in zip(prompts, answers, weights, strict=True)
    ]


def step(reader, shown, smoothing=0.0, **changes):
    image, candidate = shown
    features = [image.features.detach(), candidate.features.detach()]
    blocks = [blocks_of(reader, candidate, **changes)]
    return answer_step_loss(
        reader, [reader.prompts.query(QUESTION)], blocks, lambda: features, smoothing
    )


@pytest.mark.parametrize("weights", [(1.0, 1.0), (3.0, 0.5)])
def test_the_loss_is_that_of_each_answer_read_alone(reader, shown, weights):
    image, candidate = shown
    blocks = blocks_of(reader, candidate)
    with torch.inference_mode():
        reading = reader.read(image, QUESTION, [candidate])
        alone = reader.score_answers(reading, [list(each.answer) for each in blocks]).diagonal()
    lengths = torch.tensor([float(len(each.answer)) for each in blocks])
    weight = torch.tensor(weights)
    expected = -(alone * weight).sum() / (lengths * weight).sum()
    # bf16 keeps 8 bits
    torch.testing.assert_close(
        step(reader, shown, weights=weights)["loss"], expected, rtol=2e-2, atol=2e-2
    )


def test_all_computed_tokens_are_counted(reader, shown):
    blocks = blocks_of(reader, shown[1])
    expected = len(reader.prompts.query(QUESTION))
    expected += sum(len(each.prompt) + len(each.answer) for each in blocks)
    assert float(step(reader, shown)["tokens"]) == expected


def test_smoothing_spreads_the_targets_evenly(reader, shown):
    """The loss is linear in the share that is spread."""
    none, some, much = (step(reader, shown, share)["loss"].detach() for share in (0.0, 0.25, 0.5))
    torch.testing.assert_close(some, (none + much) / 2)
    assert abs(float(much - none)) > 1e-2


def test_the_language_model_learns(reader, shown):
    step(reader, shown)["loss"].backward()
    grads = [each.grad for each in reader.model.model.language_model.parameters()]
    assert any(grad is not None and grad.abs().max() > 0 for grad in grads)


def test_features_are_made_under_autocast(reader, shown):
    seen = []

    def features():
        seen.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None)
        return [each.features.detach() for each in shown]

    blocks = [blocks_of(reader, shown[1])]
    answer_step_loss(reader, [reader.prompts.query(QUESTION)], blocks, features, 0.0)
    assert seen == [torch.bfloat16 if compute_dtype() is torch.bfloat16 else None]
