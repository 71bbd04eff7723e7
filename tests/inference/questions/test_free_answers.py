"""Free answers: every row's own string, all weighed in all rows, the marginal by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.questions.free_answers import (
    gather_answers,
    open_profile,
    read_freely,
    unite_answers,
    word_answer,
)
from jomed_app.models.reader.greedy import greedy_ids
from jomed_app.retrieval.question_search import Voter
from jomed_app.retrieval.vote import SMALLEST_SHARE
from tests.tiny_models import build_tiny_reader

WORDS = ("yes", "no", "left", "lung", "mass")
QUESTION = "Is there a mass?"


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(5, WORDS, image_size=64)


@pytest.fixture(scope="module")
def encodings(reader):
    torch.manual_seed(0)
    return reader.encode_pixels(torch.rand(3, 3, 64, 64))


@pytest.fixture(scope="module")
def candidates(reader, encodings):
    from jomed_app.models.reader.protocol import CandidateInput

    return [
        CandidateInput(reader.pool_features(each.features), label, passage)
        for each, label, passage in zip(
            encodings[1:], ("CT", "MRI"), ("A mass.", "Nothing."), strict=True
        )
    ]


def greedy(reader, query, candidates, row, max_tokens):
    """One row's answer by reading that row alone, token by token."""
    reading = reader.read(
        query, QUESTION, candidates[row : row + 1], with_plain=row == len(candidates)
    )
    said = []
    for place in range(max_tokens):
        log_prob = reading.next_log_prob[0].clone()
        log_prob[reader.location_ids] = -torch.inf
        if place == 0:
            log_prob[reader.prompts.end_id] = -torch.inf
        token = int(log_prob.argmax())
        if token == reader.prompts.end_id:
            break
        said.append(token)
        reading = reader.extend(reading, [token])
    return said


def test_every_row_generates_as_if_alone(reader, encodings, candidates):
    reading = reader.read(encodings[0], QUESTION, candidates)
    length = reading.cache.get_seq_length()
    found = greedy_ids(reader, reading, 5)
    assert reading.cache.get_seq_length() == length, "the reading is left as it was"
    assert found == [greedy(reader, encodings[0], candidates, row, 5) for row in range(3)]
    assert greedy_ids(reader, reading, 5) == found
    assert [each[:2] for each in found] == greedy_ids(reader, reading, 2)


def test_an_answer_needs_room(reader, encodings):
    reading = reader.read(encodings[0], QUESTION, [])
    with pytest.raises(ValueError, match="max_tokens >= 1, found 0"):
        greedy_ids(reader, reading, 0)


PLAIN = Profile()


def answered(reading, profile=PLAIN):
    return word_answer(reading.strings, conclude(reading.evidence, profile))


def read(reader, encodings, candidates, scores, **more):
    return read_freely(reader, encodings[0], QUESTION, candidates, scores, max_tokens=3, **more)


def test_the_marginal_is_that_of_rows_read_alone(reader, encodings, candidates):
    scores = [1.0, 0.4]
    found = read(reader, encodings, candidates, scores, options=("yes", "no"))
    assert {"yes", "no"} <= set(found.strings)
    ids = [reader.prompts.answer(f" {text}", complete=True) for text in found.strings]
    rows = [
        reader.score_answers(
            reader.read(encodings[0], QUESTION, [each], with_plain=False), ids
        )[0].double().numpy()
        for each in candidates
    ]  # fmt: skip
    weights = log_softmax(scores)
    expected = logsumexp(weights[:, None] + log_softmax(rows, axis=-1), axis=0)
    concluded = conclude(found.evidence, PLAIN)
    np.testing.assert_allclose(concluded.log_prob, expected, atol=1e-3)
    said = answered(found)
    assert said.text == found.strings[int(expected.argmax())]
    assert sum(said.probabilities.values()) == pytest.approx(1)


def test_without_candidates_the_query_answers_alone(reader, encodings):
    said = answered(read(reader, encodings, [], []))
    assert said.text == said.alone
    assert said.candidates == ()
    assert not said.is_inconsistent


def test_the_order_of_candidates_does_not_matter(reader, encodings, candidates):
    first = answered(read(reader, encodings, candidates, [1.0, 0.2]))
    turned = answered(read(reader, encodings, candidates[::-1], [0.2, 1.0]))
    assert set(first.probabilities) == set(turned.probabilities)
    assert first.text == turned.text
    assert first.candidates == turned.candidates[::-1]


def test_scores_must_fit(reader, encodings, candidates):
    with pytest.raises(ValueError, match="found 1 for 2 candidates"):
        read(reader, encodings, candidates, [0.0])


def test_weighing_by_hand():
    likelihood = np.log([[0.6, 0.2], [0.1, 0.3], [0.2, 0.1]])
    said = answered(gather_answers(("a", "b"), likelihood, [1.0, 1.0]))
    assert said.probabilities == pytest.approx({"a": 0.5, "b": 0.5})
    assert said.candidates == ("a", "b")
    assert said.is_inconsistent
    assert said.alone == "a"
    assert answered(gather_answers(("a", "b"), likelihood, [3.0, 1.0])).text == "a"


def test_likelihoods_far_below_the_smallest_number_are_weighed():
    likelihood = np.array([[-3000.0, -3001.0], [-9000.0, -9001.0]])
    said = answered(gather_answers(("a", "b"), likelihood, [1.0]))
    assert sum(said.probabilities.values()) == pytest.approx(1)
    assert said.text == "a"


def test_the_union_knows_no_case_and_no_nothing():
    assert unite_answers(["Left  lung", "left lung ", "", "no"]) == ("Left lung", "no")
    assert unite_answers(["", " "]) == ("",)


VOTERS = [Voter("Liver", 1.0), Voter("liver", 1.0), Voter("spleen", 1.0)]
HALF = Profile(settings=Settings(vote_share=0.5, vote_temperature=1.0))


def test_the_vote_is_mixed_in_by_hand():
    """The reader weighed liver and lung; spleen has the vote alone. Case tells no answers apart."""
    likelihood = np.log([[0.2, 0.8], [0.5, 0.5]])
    reading = gather_answers(("liver", "lung"), likelihood, [1.0], VOTERS)
    assert reading.strings == ("liver", "lung", "spleen")
    said = answered(reading, HALF)
    whole = 1 + SMALLEST_SHARE  # nobody voted for lung
    assert said.probabilities == pytest.approx(
        {
            "liver": 0.5 * 0.2 + 0.5 * 2 / 3 / whole,
            "lung": 0.5 * 0.8 + 0.5 * SMALLEST_SHARE / whole,
            "spleen": 0.5 * 1 / 3 / whole,
        }
    )
    assert answered(reading).text == "lung", "without a share the reader alone decides"


def test_nearer_voters_count_more():
    reading = gather_answers(
        ("liver",), np.zeros((1, 1)), [], [Voter("liver", 0.1), Voter("lung", 0.9)]
    )
    sharp = Profile(settings=Settings(vote_share=0.9, vote_temperature=0.05))
    assert answered(reading, sharp).text == "lung"
    assert answered(reading, open_profile(0.1)).alone == "liver"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 3)), min_size=1, max_size=9))
def test_probabilities_sum_to_one_whoever_votes(votes):
    voters = [Voter(answer, score) for answer, score in votes]
    said = answered(gather_answers(("a", "e"), np.log([[0.3, 0.7]]), [], voters), HALF)
    assert sum(said.probabilities.values()) == pytest.approx(1)
    assert set(said.probabilities) == {"a", "e", *(voter.answer for voter in voters)}
