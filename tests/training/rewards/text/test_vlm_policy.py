"""Sampled answers are those of the policy whose likelihood is tuned; words find their tokens."""

from __future__ import annotations

import pytest
import torch

from jomed_app.models.reader.vlm.lora import attach_adapter
from jomed_app.training.rewards.text.vlm_policy import VlmTextPolicy
from tests.tiny_vlms import FAMILIES


@pytest.fixture(scope="module")
def policy_of(load_reader, task):
    def made(name, temperature=1.0, max_tokens=6):
        return VlmTextPolicy(attach_adapter(load_reader(name)), task, temperature, max_tokens)

    return made


@pytest.mark.parametrize("name", FAMILIES)
def test_the_likelihood_of_an_answer_is_that_of_its_sampling(policy_of, picture, name):
    policy = policy_of(name)
    row = policy.prompt(picture)
    answers = [*policy.sample(row, 3, torch.Generator().manual_seed(0))]
    answers.append(policy.reader.writer.answer("o"))
    barred, policy.barred = policy.barred, []
    assert policy.reader.writer.image_token_id in barred
    assert not set(barred) & {each for answer in answers for each in answer}
    with torch.no_grad():
        found = policy.tokens(row, answers)
    assert found.keep_mask.sum(-1).tolist() == [len(each) for each in answers]
    assert found.hidden.shape == (*found.log_prob.shape, 64)
    scored = policy.reader.tree.score(policy.reader.tree.read([row]), answers)[0]
    torch.testing.assert_close(found.log_prob.sum(-1), scored, atol=1e-4, rtol=0)


def test_temperature_sharpens_and_a_seed_tells_the_answers(policy_of, picture):
    cold = policy_of("llava15", temperature=0.05)
    row = cold.prompt(picture)
    (best,) = cold.answers(row, 1, lambda log_prob: log_prob.argmax(-1))
    with torch.no_grad():
        sharp, flat = cold.tokens(row, [best]), cold.tokens(row, [best], temperature=1.0)
    assert (sharp.log_prob > flat.log_prob).all()
    assert (sharp.entropy < flat.entropy).all()
    again = cold.sample(row, 2, torch.Generator().manual_seed(3))
    assert again == cold.sample(row, 2, torch.Generator().manual_seed(3))


def test_an_answer_that_ended_holds_its_end_and_one_that_was_cut_does_not(policy_of, picture):
    policy = policy_of("llava15", max_tokens=3)
    row, end = policy.prompt(picture), policy.reader.writer.end_id
    assert policy.answers(row, 1, lambda logits: torch.full((1,), end)) == [[end]]
    assert policy.answers(row, 1, lambda logits: torch.full((1,), 7)) == [[7, 7, 7]]


def test_words_find_their_tokens(policy_of):
    policy = policy_of("qwen2_5_vl")
    ids = policy.reader.writer.answer("It is malignant, oval.", complete=True)
    text = policy.text(ids)
    assert text == "It is malignant, oval."
    start = text.index("malignant")
    place = policy.span(ids, start, start + len("malignant"))
    assert policy.text(ids[place]).strip(" ,") == "malignant"
    assert policy.span(ids, 0, 2).start == 0


def test_dropout_stays_off_while_it_learns(load_reader, task, picture):
    policy = VlmTextPolicy(attach_adapter(load_reader("llava15"), dropout=0.5), task, 1.0, 3)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    prompt = policy.prompt(picture)
    answers = policy.sample(prompt, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = policy.tokens(prompt, answers).log_prob
    policy.learn()
    torch.testing.assert_close(policy.tokens(prompt, answers).log_prob.detach(), before)
    assert policy.reader.model.get_decoder().training, "activations are computed again"
