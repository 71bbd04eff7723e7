"""Free answers: every row's own string, all weighed in all rows, the marginal by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp

from jomed_app.inference.free_answers import (
    answer_freely,
    finding_probabilities,
    unite_answers,
    weigh_answers,
)
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
    from jomed_app.models.reader.packed import CandidateInput

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
            log_prob[reader.rows.end_id] = -torch.inf
        token = int(log_prob.argmax())
        if token == reader.rows.end_id:
            break
        said.append(token)
        reading = reader.extend(reading, [token])
    return said


def test_every_row_generates_as_if_alone(reader, encodings, candidates):
    reading = reader.read(encodings[0], QUESTION, candidates)
    length = reading.cache.get_seq_length()
    found = reader.generate(reading, 5)
    assert reading.cache.get_seq_length() == length, "the reading is left as it was"
    assert found == [greedy(reader, encodings[0], candidates, row, 5) for row in range(3)]
    assert reader.generate(reading, 5) == found
    assert [each[:2] for each in found] == reader.generate(reading, 2)


def test_an_answer_needs_room(reader, encodings):
    reading = reader.read(encodings[0], QUESTION, [])
    with pytest.raises(ValueError, match="max_tokens >= 1, found 0"):
        reader.generate(reading, 0)


def test_the_marginal_is_that_of_rows_read_alone(reader, encodings, candidates):
    weights = np.log([0.7, 0.3])
    found = answer_freely(
        reader, encodings[0], QUESTION, candidates, weights, options=("yes", "no"), max_tokens=3
    )
    assert {"yes", "no"} <= set(found.strings)
    ids = [reader.rows.answer(f" {text}", complete=True) for text in found.strings]
    rows = [
        reader.score_answers(
            reader.read(encodings[0], QUESTION, [each], with_plain=False), ids
        )[0].double().numpy()
        for each in candidates
    ]  # fmt: skip
    expected = logsumexp(weights[:, None] + log_softmax(rows, axis=-1), axis=0)
    np.testing.assert_allclose(found.log_prob, expected, atol=1e-3)
    assert found.text == found.strings[int(expected.argmax())]
    assert np.exp(found.log_prob).sum() == pytest.approx(1)


def test_without_candidates_the_query_answers_alone(reader, encodings):
    found = answer_freely(reader, encodings[0], QUESTION, [], [], max_tokens=3)
    assert found.text == found.plain
    assert found.candidates == ()
    assert not found.is_inconsistent


def test_the_order_of_candidates_does_not_matter(reader, encodings, candidates):
    first = answer_freely(reader, encodings[0], QUESTION, candidates, [-0.3, -1.4], max_tokens=3)
    turned = answer_freely(
        reader, encodings[0], QUESTION, candidates[::-1], [-1.4, -0.3], max_tokens=3
    )
    assert set(first.strings) == set(turned.strings)
    assert first.text == turned.text
    assert first.candidates == turned.candidates[::-1]


def test_weights_must_fit(reader, encodings, candidates):
    with pytest.raises(ValueError, match=r"shape \(1,\) for 2 candidates"):
        answer_freely(reader, encodings[0], QUESTION, candidates, [0.0])


def test_weighing_by_hand():
    likelihood = np.log([[0.6, 0.2], [0.1, 0.3], [0.2, 0.1]])
    found = weigh_answers(("a", "b"), likelihood, np.log([0.5, 0.5]))
    np.testing.assert_allclose(np.exp(found.log_prob), [0.5, 0.5])
    assert found.candidates == ("a", "b")
    assert found.is_inconsistent
    assert found.plain == "a"
    assert weigh_answers(("a", "b"), likelihood, np.log([0.9, 0.1])).text == "a"


def test_likelihoods_far_below_the_smallest_number_are_weighed():
    found = weigh_answers(
        ("a", "b"), np.array([[-3000.0, -3001.0], [-9000.0, -9001.0]]), np.zeros(1)
    )
    assert np.exp(found.log_prob).sum() == pytest.approx(1)
    assert found.text == "a"


def test_the_union_knows_no_case_and_no_nothing():
    assert unite_answers(["Left  lung", "left lung ", "", "no"]) == ("Left lung", "no")
    assert unite_answers(["", " "]) == ("",)


def test_findings_have_the_mass_of_the_answers_that_list_them():
    likelihood = np.log([[0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3]])
    found = weigh_answers(("edema, Mass", "mass and nodule", "none"), likelihood, np.zeros(1))
    np.testing.assert_allclose(
        finding_probabilities(found, ["mass", "edema", "nodule", "effusion"]), [0.8, 0.5, 0.3, 0.0]
    )
