"""How a case stands, by hand: readings among each other, to the answer, to known diagnoses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.inference.conclusion.standing import UNKNOWN, standing_of, standings
from jomed_app.types import (
    CandidateResult,
    Consistency,
    ConsistencyState,
    FinalResult,
    Standing,
)

LABELS = ("normal", "benign", "malignant")


def stands(state: str, readings: list[int], answer: int, **more) -> Standing:
    return standings(
        np.array(ConsistencyState(state), dtype=object), readings, answer, **more
    ).item()


@pytest.mark.parametrize(
    ("state", "readings", "answer", "known", "expected"),
    [
        ("consistent", [1, 1, 1, 1], 1, [1, 1, 2, 2], "consistent"),  # half object: not most
        ("consistent", [1, 1, 1, 1], 1, [1, 2, 2, 2], "contradicted"),
        ("mixed", [1, 1, 1, 1], 1, [1, 1, 1, 1], "mixed"),
        ("disagree", [1, 2, 1, 1], 1, [1, 1, 1, 1], "disagree"),
        ("disagree", [1, 2, 1, 1], 1, [2, 2, 2, 0], "contradicted"),
        ("consistent", [2, 2, 2, 2], 1, [1, 1, 1, 1], "overruled"),
        ("consistent", [2, 2, 2, 2], 1, [2, 2, 2, 2], "overruled"),  # goes before
        ("disagree", [2, 0, 2, 2], 1, [1, 1, 1, 1], "overruled"),
        ("consistent", [1, 1, 1, 1], 1, [UNKNOWN] * 4, "contradicted"),
        ("consistent", [1, 1, 1, 1], 1, None, "consistent"),
    ],
)
def test_by_hand(state, readings, answer, known, expected) -> None:
    assert stands(state, readings, answer, known=known) == expected


def test_one_that_does_not_count_neither_reads_nor_objects() -> None:
    counts = [True, True, False, False]
    assert stands("consistent", [1, 1, 2, 2], 2, counts=counts) == "overruled"
    known = [1, 1, 2, 2]
    assert stands("consistent", [1, 1, 1, 1], 1, known=known, counts=counts) == "consistent"


cases = st.integers(1, 5).flatmap(
    lambda count: st.tuples(
        st.sampled_from(["consistent", "mixed", "disagree"]),
        st.lists(st.integers(0, 2), min_size=count, max_size=count),
        st.lists(st.integers(0, 2), min_size=count, max_size=count),
        st.integers(0, 2),
    )
)


@given(st.lists(cases, min_size=1, max_size=6))
def test_a_result_stands_as_it_was_measured(drawn) -> None:
    """What the page derives from a result is what the error rates were counted by."""
    for state, readings, known, answer in drawn:
        candidates = [
            CandidateResult(
                rank=rank, candidate_id=str(rank), heads=("image",), retriever_score=0.5,
                weight=0.5, similarity_percentile=50.0, label=LABELS[label], passage="",
                prediction=LABELS[said], probabilities={},
            )
            for rank, (said, label) in enumerate(zip(readings, known, strict=True), 1)
        ]  # fmt: skip
        shown = standing_of(
            Consistency(state=ConsistencyState(state)),
            FinalResult(prediction=LABELS[answer], probabilities={}),
            candidates,
        )
        assert shown == stands(state, readings, answer, known=known)


def test_many_cases_stand_as_each_alone() -> None:
    states = np.array([ConsistencyState.MIXED, ConsistencyState.CONSISTENT], dtype=object)
    readings, answers = np.array([[1, 1], [0, 0]]), np.array([1, 2])
    assert standings(states, readings, answers).tolist() == ["mixed", "overruled"]


def test_nothing_is_named_where_no_answer_is_given() -> None:
    nobody = FinalResult(prediction=None, probabilities={}, abstained=True)
    consistency = Consistency(state=ConsistencyState.ABSTAIN)
    assert standing_of(consistency, nobody, ()) is Standing.ABSTAIN
