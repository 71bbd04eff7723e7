"""What must change nothing: rows at once, the order of candidates, what rows share."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.reader.vlm.conftest import QUESTION

ANSWERS = ["benign", "malignant", "invasive ductal carcinoma"]
KNOWN = [
    ("benign", "Oval, parallel."),
    ("malignant", "Irregular margin, posterior shadow, invasive ductal carcinoma."),
    ("normal", ""),
]
CLOSE = {"atol": 1e-4, "rtol": 0.0}  # nats, fp32


@pytest.fixture
def shown(tiny_vlm, family, pictures):
    """Reader, query and three candidates."""
    reader = tiny_vlm(family)
    query, *others = reader.encode(pictures)
    return (
        reader,
        query,
        [reader.candidate(each, *known) for each, known in zip(others, KNOWN, strict=True)],
    )


def findings(reader, query, candidates):
    reading = reader.read(query, QUESTION, candidates)
    return reader.score(reading, ANSWERS, complete=True), reader.generate(reading, 4)


@pytest.mark.parametrize(
    ("rows_at_once", "is_shared"), [(1, True), (2, True), (4, True), (4, False)]
)
def test_rows_at_once_and_a_shared_beginning_change_nothing(
    shown, monkeypatch, rows_at_once, is_shared
):
    reader, query, candidates = shown
    expected, said = findings(reader, query, candidates)
    monkeypatch.setattr(reader.tree, "rows_at_once", rows_at_once)
    if not is_shared:
        monkeypatch.setattr(reader.tree, "_shared", lambda rows: 0)
    scores, again = findings(reader, query, candidates)
    torch.testing.assert_close(scores, expected, **CLOSE)
    assert again == said


def test_answers_follow_the_order_of_candidates(shown):
    reader, query, candidates = shown
    expected, said = findings(reader, query, candidates)
    for order in list(itertools.permutations(range(3)))[1::2]:
        scores, again = findings(reader, query, [candidates[place] for place in order])
        rows = [*order, 3]  # the row without a candidate stays the last
        torch.testing.assert_close(scores, expected[rows], **CLOSE)
        assert again == [said[place] for place in rows]


texts = st.text(st.sampled_from("benign, oval. 12\n"), max_size=40)
cases = st.lists(st.tuples(st.integers(0, 2), texts, texts), min_size=1, max_size=5)


# One family whose rows are padded side by side, and one that is read row by row.
@pytest.mark.parametrize("name", ["qwen2_5_vl", "gemma3"])
@settings(max_examples=8)
@given(cases=cases, rows_at_once=st.integers(1, 6))
def test_a_row_says_what_it_says_alone(tiny_vlm, pictures, name, cases, rows_at_once):
    reader = tiny_vlm(name)
    query, *others = reader.encode(pictures)
    candidates = [reader.candidate(others[place], label, text) for place, label, text in cases]
    usual, reader.tree.rows_at_once = reader.tree.rows_at_once, rows_at_once
    try:
        together = reader.score(reader.read(query, QUESTION, candidates), ANSWERS)
    finally:
        reader.tree.rows_at_once = usual
    for row, candidate in zip(together, candidates, strict=False):
        alone = reader.read(query, QUESTION, [candidate], with_plain=False)
        torch.testing.assert_close(reader.score(alone, ANSWERS)[0], row, **CLOSE)
