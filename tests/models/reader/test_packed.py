"""The reader against a second way of computing the same: one whole row, no cache, no padding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional
from transformers import LlamaForCausalLM

from jomed_app.errors import MemoryShortError
from jomed_app.models.loading import join_llava
from jomed_app.models.reader.feature_forward import call_with_features, pool_grid
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.protocol import CandidateInput
from tests.threads import at_once
from tests.tiny_models import build_tiny_dinov2, build_tiny_reader, tiny_text_config

QUESTION = "What is it?"
CLOSE = {"atol": 1e-4, "rtol": 1e-4}  # float32 sums in another order


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(2, ["benign", "malignant", "normal"])


@pytest.fixture(scope="module")
def images(reader):
    generator = torch.Generator().manual_seed(5)
    return reader.encode_pixels(torch.randn(3, 3, 128, 128, generator=generator))


@pytest.fixture(scope="module")
def candidates(reader, images):
    pooled = [reader.pool_features(image.features) for image in images]
    return [
        CandidateInput(pooled[1], "benign", "A smooth oval mass."),
        CandidateInput(pooled[2], "malignant", "Spiculated."),
        CandidateInput(pooled[0], "normal", ""),
    ]


@pytest.fixture
def reading(reader, images, candidates):
    return reader.read(images[0], QUESTION, candidates)


def prompt_of(reader, candidate):
    if candidate is None:
        return reader.prompts.no_candidate()
    return reader.prompts.candidate(candidate.label, candidate.passage)


@torch.inference_mode()
def whole_row(reader, query, candidate, answer=()):
    """(T, V) log-probabilities of a row read in one piece."""
    ids = torch.tensor([[*reader.prompts.query(QUESTION), *prompt_of(reader, candidate), *answer]])
    shown = [query.features] + ([] if candidate is None else [candidate.features])
    logits = call_with_features(
        reader.model,
        ids,
        torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril(),
        torch.arange(ids.shape[1])[None],
        shown,
        keep_logits=ids.shape[1],
    )
    return functional.log_softmax(logits[0].float(), dim=-1)


def whole_row_score(reader, query, candidate, answer):
    log_prob = whole_row(reader, query, candidate, answer)
    asked = log_prob[-len(answer) - 1 : -1]
    return asked.gather(1, torch.tensor(answer)[:, None]).sum()


def test_rows_equal_whole_rows(reader, images, candidates, reading):
    for row, candidate in enumerate([*candidates, None]):
        expected = whole_row(reader, images[0], candidate)[-1]
        torch.testing.assert_close(reading.next_log_prob[row], expected, **CLOSE)


def test_scores_equal_whole_rows(reader, images, candidates, reading):
    texts = [" benign", " benign<loc_01><loc_02>", " yes", " malignant<loc_15>"]
    answers = [reader.prompts.answer(text) for text in texts]
    scores = reader.score_answers(reading, answers)
    assert scores.shape == (4, 4)
    for row, candidate in enumerate([*candidates, None]):
        expected = [whole_row_score(reader, images[0], candidate, answer) for answer in answers]
        torch.testing.assert_close(scores[row], torch.stack(expected), **CLOSE)


def test_one_token_answers_are_read_off(reader, reading):
    answers = [reader.prompts.answer(" benign"), reader.prompts.answer(" malignant")]
    scores = reader.score_answers(reading, answers)
    ids = [answer[0] for answer in answers]
    assert torch.equal(scores, reading.next_log_prob[:, ids])


def test_candidates_change_the_answer(reading):
    # Otherwise the equalities above would say nothing.
    gaps = torch.cdist(reading.next_log_prob, reading.next_log_prob) + 99 * torch.eye(4)
    assert gaps.min() > 0.1


def test_the_query_changes_the_answer(reader, images, candidates, reading):
    other = reader.read(images[1], QUESTION, candidates)
    assert (other.next_log_prob - reading.next_log_prob).abs().max() > 0.1


def test_other_rows_change_nothing(reader, images, candidates, reading):
    for row, candidate in enumerate(candidates):
        alone = reader.read(images[0], QUESTION, [candidate], with_plain=False)
        torch.testing.assert_close(alone.next_log_prob[0], reading.next_log_prob[row], **CLOSE)


def test_order_changes_nothing(reader, images, candidates, reading):
    turned = reader.read(images[0], QUESTION, candidates[::-1])
    torch.testing.assert_close(turned.next_log_prob[:3], reading.next_log_prob[[2, 1, 0]], **CLOSE)


def test_scoring_leaves_the_reading_as_it_was(reader, reading):
    answers = [reader.prompts.answer(" a long answer"), reader.prompts.answer(" b")]
    first = reader.score_answers(reading, answers)
    assert torch.equal(reader.score_answers(reading, answers), first)


def test_extending_equals_whole_rows(reader, images, candidates, reading):
    answer = reader.prompts.answer(" benign<loc_03>")
    extended = reader.extend(reader.extend(reading, answer[:1]), answer[1:])
    for row, candidate in enumerate([*candidates, None]):
        expected = whole_row(reader, images[0], candidate, answer)[-1]
        torch.testing.assert_close(extended.next_log_prob[row], expected, **CLOSE)


def test_looking_ahead_equals_whole_rows(reader, images, candidates, reading):
    answer = reader.prompts.answer(" benign<loc_03><loc_05>")
    ahead, after_each = reader.look_ahead(reading, answer)
    assert after_each.shape[:2] == (4, 3)
    for row, candidate in enumerate([*candidates, None]):
        expected = whole_row(reader, images[0], candidate, answer)[-3:]
        torch.testing.assert_close(after_each[row], expected, **CLOSE)
    assert torch.equal(ahead.next_log_prob, after_each[:, -1])


def test_a_wrong_guess_is_taken_back(reader, images, candidates, reading):
    right, wrong = reader.prompts.answer(" benign"), reader.prompts.answer("<loc_03><loc_05>")
    ahead, after_each = reader.look_ahead(reading, right + wrong)
    rewound = reader.rewind(ahead, len(wrong), after_each[:, 0])
    other = reader.prompts.answer("<loc_09>")
    extended = reader.extend(rewound, other)
    for row, candidate in enumerate([*candidates, None]):
        expected = whole_row(reader, images[0], candidate, right + other)[-1]
        torch.testing.assert_close(extended.next_log_prob[row], expected, **CLOSE)


def test_scores_add_up_over_an_extension(reader, reading):
    first, then = reader.prompts.answer(" benign"), reader.prompts.answer("<loc_03><loc_04>")
    whole = reader.score_answers(reading, [first + then])
    begun = reader.score_answers(reading, [first])
    rest = reader.score_answers(reader.extend(reading, first), [then])
    torch.testing.assert_close(begun + rest, whole, **CLOSE)


@torch.inference_mode()
def test_features_equal_the_models_own_pixels(reader):
    pixels = torch.randn(1, 3, 128, 128)
    ids = torch.tensor([[*reader.prompts.query(QUESTION), *reader.prompts.no_candidate()]])
    own = reader.model(input_ids=ids, pixel_values=pixels, logits_to_keep=1).logits[0, -1]
    ours = reader.read(reader.encode_pixels(pixels)[0], QUESTION, []).next_log_prob[0]
    torch.testing.assert_close(ours, functional.log_softmax(own, dim=-1), **CLOSE)


def test_an_image_is_encoded_alike_whatever_stands_beside_it():
    """Bits of a batch depend on its size, with a tower of full width; so there is no batch."""
    reader = build_tiny_reader(0, ["benign", "malignant"])
    sizes = []
    reader.model.model.vision_tower.register_forward_pre_hook(
        lambda module, inputs, named: sizes.append(len((*inputs, *named.values())[0])),
        with_kwargs=True,
    )
    pixels = torch.randn(5, 3, 128, 128)
    together = reader.encode_pixels(pixels)
    assert sizes == [1] * 5
    for one, pixel_values in zip(together, pixels.split(1), strict=True):
        alone = reader.encode_pixels(pixel_values)[0]
        assert torch.equal(one.tokens, alone.tokens)
        assert torch.equal(one.features, alone.features)


def test_tokens_are_the_towers(reader, images):
    assert images[0].tokens.shape == (16, reader.model.config.vision_config.hidden_size)
    assert images[0].features.shape == (16, reader.model.config.text_config.hidden_size)


def test_location_ids_are_in_order(reader):
    names = reader.tokenizer.convert_ids_to_tokens(reader.location_ids.tolist())
    assert names[0] == "<loc_00>"
    assert names[-1] == "<loc_15>"
    assert len(set(names)) == 16


def test_pooling_by_hand():
    features = torch.arange(16.0)[:, None]  # a 4 x 4 grid, row by row
    assert pool_grid(features, 4, 2)[:, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
    assert torch.equal(pool_grid(features, 4, 1), features)


def test_pooling_keeps_leading_dimensions():
    features = torch.randn(2, 3, 16, 5)
    torch.testing.assert_close(pool_grid(features, 4, 2)[1, 2], pool_grid(features[1, 2], 4, 2))


def test_a_class_token_is_read_and_never_averaged(reader):
    tower = build_tiny_dinov2(image_size=56, token_grid=2)
    language = LlamaForCausalLM(tiny_text_config(reader.tokenizer))
    model = join_llava(tower, language, reader.prompts.image_token_id)
    seeing = PackedReader(model, reader.tokenizer, location_bins=16, candidate_pool=2)
    assert (seeing.prompts.query_tokens, seeing.prompts.candidate_tokens) == (5, 2)
    assert seeing.pool_features(torch.tensor([[9.0], [1], [2], [3], [6]])).tolist() == [[9], [3]]

    (seen,) = seeing.encode_pixels(torch.randn(1, 3, 56, 56))
    weight = model.model.multi_modal_projector
    with torch.no_grad():
        torch.testing.assert_close(seen.features, weight(seen.tokens))
    known = seeing.candidate(seen, "benign", "")
    alone = seeing.read(seen, QUESTION, [known]).next_log_prob
    other = replace(seen, features=seen.features.index_fill(0, torch.tensor(0), 0.0))
    assert not torch.allclose(seeing.read(other, QUESTION, [known]).next_log_prob, alone)


def test_the_pool_must_divide_the_grid(reader):
    with pytest.raises(ValueError, match="must divide the 4 tokens a side, found 3"):
        PackedReader(reader.model, reader.tokenizer, location_bins=16, candidate_pool=3)


def test_a_reading_of_nothing_is_refused(reader, images):
    with pytest.raises(ValueError, match="reading requires a candidate, or the row without one"):
        reader.read(images[0], QUESTION, [], with_plain=False)


def test_an_empty_answer_is_refused(reader, reading):
    with pytest.raises(ValueError, match="at least one token"):
        reader.score_answers(reading, [[3], []])


def test_memory_that_runs_out_is_one_sentence(reader, images, candidates, reading, monkeypatch):
    works = {
        "encode": lambda: reader.encode_pixels(torch.randn(1, 3, 128, 128)),
        "read": lambda: reader.read(images[0], QUESTION, candidates),
        "score": lambda: reader.score(reading, ["benign", "no mass"]),
        "generate": lambda: reader.generate(reading, 3),
    }

    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 20 bytes")

    before = works["score"]()
    with monkeypatch.context() as broken:
        broken.setattr(reader.model.model.language_model, "forward", fail)
        broken.setattr(reader.tower, "forward", fail)
        for work in works.values():
            with pytest.raises(
                MemoryShortError,
                match=r"^the model requires more memory than is free here; lower the number of "
                r"candidates, or --precision \(nf4 needs least\)$",
            ):
                work()
    assert torch.equal(works["score"](), before), "the next case goes on"


@pytest.mark.parametrize("number_type", [torch.float32, torch.bfloat16])
def test_four_threads_find_what_one_finds(number_type):
    shared = build_tiny_reader(2, ["benign", "malignant", "normal"])
    shared.model.to(number_type)
    shared.prepare()
    pixels = torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(5))

    def findings(_):
        query, *others = shared.encode_pixels(pixels)
        shown = [shared.candidate(each, "benign", "A smooth oval mass.") for each in others]
        reading = shared.read(query, QUESTION, shown)
        scores = shared.score(reading, ["benign", "malignant", "no mass"])
        return scores.tolist(), shared.generate(reading, 4)

    (alone,) = at_once(findings, 1)
    assert [found for _ in range(3) for found in at_once(findings)] == [alone] * 12
