"""Packing: every block reads as if it stood alone."""

from __future__ import annotations

import pytest
import torch

from jomed_app.models.reader.feature_forward import call_hidden
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.training.reader.packing import IGNORED, Block, pack
from tests.tiny_models import build_tiny_reader

CLOSE = {"atol": 1e-4, "rtol": 1e-4}  # float32 sums in another order
QUESTIONS = ("What is it?", "Is it a cyst or something else?")
ANSWERS = (" benign<loc_01><loc_02>", " malignant", " yes and no")


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(4, ["benign", "malignant"])


@pytest.fixture(scope="module")
def images(reader):
    generator = torch.Generator().manual_seed(6)
    return reader.encode_pixels(torch.randn(4, 3, 128, 128, generator=generator))


@pytest.fixture(scope="module")
def candidates(reader, images):
    pooled = [reader.pool_features(image.features) for image in images]
    return [
        CandidateInput(pooled[2], "benign", "An oval mass."),
        CandidateInput(pooled[3], "malignant", "Spiculated, with shadowing."),
    ]


def make_block(reader, candidate, answer, dropped=None):
    """A block of a candidate (or none) with weights 1."""
    ids = reader.prompts.answer(answer, complete=True)
    if candidate is None:
        return Block(reader.prompts.no_candidate(), ids, [1.0] * len(ids), dropped)
    prompt = reader.prompts.candidate(candidate.label, candidate.passage)
    return Block(prompt, ids, [1.0] * len(ids), dropped)


@torch.inference_mode()
def block_scores(reader, batch, features):
    """Summed answer log-likelihood of every block, in order, one list per sequence."""
    hidden = call_hidden(
        reader.model, batch.input_ids, batch.attention, batch.position_ids, features
    )
    log_prob = reader.model.lm_head(hidden).float().log_softmax(-1)
    scores = []
    for row, targets in enumerate(batch.targets):
        asked = targets != IGNORED
        told = log_prob[row].gather(1, targets.clamp_min(0)[:, None])[:, 0]
        row_scores, running = [], None
        for place in range(len(targets)):
            if asked[place]:
                running = told[place] if running is None else running + told[place]
            elif running is not None:
                row_scores.append(running)
                running = None
        scores.append(torch.stack(row_scores + ([] if running is None else [running])))
    return scores


@pytest.fixture(scope="module")
def two_packed(reader, images, candidates):
    """Two queries of different length, with three and two blocks."""
    blocks = [
        [
            make_block(reader, candidates[0], ANSWERS[0]),
            make_block(reader, candidates[1], ANSWERS[1]),
            make_block(reader, None, ANSWERS[2]),
        ],
        [
            make_block(reader, candidates[1], ANSWERS[2]),
            make_block(reader, None, ANSWERS[0]),
        ],
    ]
    features = [
        images[0].features,
        candidates[0].features,
        candidates[1].features,
        images[1].features,
        candidates[1].features,
    ]
    queries = [reader.prompts.query(question) for question in QUESTIONS]
    return queries, blocks, features


def test_every_block_has_the_likelihood_of_its_own_row(reader, images, candidates, two_packed):
    queries, blocks, features = two_packed
    scores = block_scores(reader, pack(queries, blocks, 0), features)
    shown = [[candidates[0], candidates[1]], [candidates[1]]]
    for place, question in enumerate(QUESTIONS):
        reading = reader.read(images[place], question, shown[place])
        answers = [list(block.answer) for block in blocks[place]]
        expected = reader.score_answers(reading, answers).diagonal()
        torch.testing.assert_close(scores[place], expected, **CLOSE)


def test_neighbors_in_a_batch_change_nothing(reader, two_packed):
    queries, blocks, features = two_packed
    together = block_scores(reader, pack(queries, blocks, 0), features)
    first = block_scores(reader, pack(queries[:1], blocks[:1], 0), features[:3])
    second = block_scores(reader, pack(queries[1:], blocks[1:], 0), features[3:])
    torch.testing.assert_close(together[0], first[0], **CLOSE)
    torch.testing.assert_close(together[1], second[0], **CLOSE)


def test_dropped_tokens_change_their_own_block_only(reader, images, candidates):
    query = reader.prompts.query(QUESTIONS[0])
    dropped = torch.tensor(query) == reader.prompts.image_token_id
    features = [images[0].features, candidates[0].features, candidates[1].features]

    def scores(hidden):
        blocks = [
            make_block(reader, candidates[0], ANSWERS[0]),
            make_block(reader, candidates[1], ANSWERS[1], hidden),
            make_block(reader, None, ANSWERS[2]),
        ]
        return block_scores(reader, pack([query], [blocks], 0), features)[0]

    full, part = scores(None), scores(dropped)
    torch.testing.assert_close(part[[0, 2]], full[[0, 2]], **CLOSE)
    assert (part[1] - full[1]).abs() > 1e-2


def test_a_block_that_sees_no_query_image_does_not_depend_on_it(reader, images, candidates):
    # Holds because text before the image cannot see it, and text after it is dropped too.
    query = reader.prompts.query(QUESTIONS[0])
    first = query.index(reader.prompts.image_token_id)
    dropped = torch.arange(len(query)) >= first
    blocks = [[make_block(reader, candidates[0], ANSWERS[0], dropped)]]
    batch = pack([query], blocks, 0)
    scores = [
        block_scores(reader, batch, [image.features, candidates[0].features])[0]
        for image in images[:2]
    ]
    torch.testing.assert_close(scores[0], scores[1], **CLOSE)


def test_layout_by_hand():
    blocks = [Block([5], [6, 7], [1.0, 0.5]), Block([8, 9], [3], [2.0])]
    batch = pack([[1, 2], [4]], [blocks, [Block([5], [6], [1.0])]], pad_id=0)
    assert batch.input_ids.tolist() == [[1, 2, 5, 6, 7, 8, 9, 3], [4, 5, 6, 0, 0, 0, 0, 0]]
    assert batch.position_ids[0].tolist() == [0, 1, 2, 3, 4, 2, 3, 4]
    x = IGNORED
    assert batch.targets[0].tolist() == [x, x, 6, 7, x, x, 3, x]
    assert batch.targets[1].tolist() == [x, 6, x, x, x, x, x, x]
    assert batch.weights[0].tolist() == [0, 0, 1.0, 0.5, 0, 0, 2.0, 0]


def test_who_sees_whom_by_hand():
    dropped = torch.tensor([False, True])
    blocks = [Block([5], [6], [1.0]), Block([8], [3], [1.0], dropped)]
    seen = pack([[1, 2]], [blocks], pad_id=0).attention[0, 0].int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, 1, 1],
    ]


def test_padding_sees_itself_and_nobody_sees_it():
    long, short = [Block([5], [6, 7], [1.0, 1.0])], [Block([5], [6], [1.0])]
    seen = pack([[1], [1]], [long, short], pad_id=0).attention[1, 0]
    assert seen[-1].tolist() == [False, False, False, True]
    assert not seen[:-1, -1].any()


def test_a_query_without_blocks_is_refused():
    with pytest.raises(ValueError, match="every query must have at least one block"):
        pack([[1]], [[]], 0)


def test_weights_must_match_the_answer():
    with pytest.raises(ValueError, match="an answer of 2 tokens needs as many weights, found 1"):
        pack([[1]], [[Block([5], [6, 7], [1.0])]], 0)
