"""Results on a terminal: the search that was read, and what the other one would have shown."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from jomed_app.cli.tables import show_costs, show_result
from jomed_app.training.run.costs import COLUMNS, RunCosts, StageCost
from jomed_app.types import (
    CandidateResult,
    Consistency,
    ConsistencyState,
    DroppedCandidate,
    FinalResult,
    InputInfo,
    Result,
    Versions,
)
from jomed_app.ui import text


def candidate(rank, name, other_rank):
    return CandidateResult(
        rank=rank,
        candidate_id=name,
        heads=("image",),
        retriever_score=0.9,
        weight=0.5,
        similarity_percentile=99.4,
        label="benign",
        passage="An oval mass.",
        other_rank=other_rank,
    )


def result(*other_ranks, retrieval="joint", dropped=()):
    return Result(
        versions=Versions(app="0", bundle="b", index="i"),
        input=InputInfo(format="png", rows=4, columns=4, photometric="L"),
        question="What is it?",
        candidates=tuple(
            candidate(rank, f"case-{rank}", other) for rank, other in enumerate(other_ranks, 1)
        ),
        final=FinalResult(prediction="benign", probabilities={"benign": 1.0}),
        consistency=Consistency(state=ConsistencyState.CONSISTENT),
        retrieval=retrieval,
        dropped=dropped,
    )


def shown(value):
    out = io.StringIO()
    show_result(value, Console(file=out, width=140))
    return out.getvalue()


GONE = (DroppedCandidate(candidate_id="case-x", rank=2, label="malignant"),)


def test_ranks_go_from_the_other_search_to_this_one():
    out = shown(result(7, None, dropped=GONE))
    assert "Search: jointly optimised" in out
    assert "# (from standard RAG)" in out
    assert "7 -> 1" in out
    assert "new -> 2" in out
    assert "Not shown here: case-x (malignant), 2 in standard RAG" in out


def test_the_table_says_how_the_models_ran():
    versions = Versions(app="0", bundle="b", index="i", precision="nf4", number_type="bf16")
    said = shown(result(1).model_copy(update={"versions": versions}))
    assert said.endswith("Weights in nf4, products in bf16.\n")
    assert "products" not in shown(result(1)), "a result of the first schema does not say"


def test_the_standard_search_names_the_other():
    out = shown(result(2, 1, retrieval="standard"))
    assert "Search: standard RAG" in out
    assert "# (from jointly optimised)" in out
    assert "2 -> 1" in out


@pytest.mark.parametrize("same", [(1, 2), (None, None)])
def test_where_nothing_differs_there_is_nothing_to_compare(same):
    """The second row is a result from before there were two searches."""
    out = shown(result(*same, retrieval="standard"))
    assert "->" not in out
    assert "from" not in out


@pytest.mark.parametrize(
    ("label", "said", "words"),
    [
        ("benign", "benign", "readings agree\nThe image, read beside each: 2 benign"),
        ("benign", "malignant", "NO READING GIVES THE FINAL ANSWER"),
        ("malignant", "benign", "KNOWN DIAGNOSES SPEAK AGAINST THE ANSWER"),
    ],
)
def test_what_speaks_against_the_answer_is_a_warning(label, said, words):
    case = result(1, 2)
    read = tuple(
        each.model_copy(update={"label": label, "prediction": said}) for each in case.candidates
    )
    found = Consistency(state=ConsistencyState.CONSISTENT, counts={said: 2})
    out = shown(case.model_copy(update={"candidates": read, "consistency": found}))
    assert words in out
    assert f"Known diagnoses of the similar cases: 2 {label}" in out
    assert "Made of: image alone 0%" in out
    assert "read beside similar cases 100%" in out


def test_costs_are_a_row_per_stage():
    cost = StageCost(runs=1, wall_s=61, cpu_s=100, steps=7, items=0, peak_bytes=2**30)
    out = io.StringIO()
    show_costs(
        RunCosts(cores=2, stages={"align": cost, "reader": cost}), Console(file=out, width=140)
    )
    lines = out.getvalue().splitlines()
    assert all(title in lines[1] for title in COLUMNS)
    (row,) = (line for line in lines if "reader" in line)
    assert all(cell in row for cell in ("0:01:01", "0:01:40", " 7 ", "1.00"))
    assert any(" all " in line and "0:02:02" in line for line in lines)


def test_similarity_is_that_of_the_page():
    value = result(1, 2)
    cases = tuple(
        each.model_copy(update={"image_percentile": share, "heads": heads})
        for each, share, heads in zip(
            value.candidates, (35.2, 12.9), (("image", "text"), ("text",)), strict=True
        )
    )
    found = value.model_copy(update={"candidates": cases, "has_similar": False})
    out = io.StringIO()
    show_result(found, Console(file=out, width=240))
    for case in cases:
        assert text.less_alike(case) in out.getvalue()
        assert text.less_alike(case) in text.similarity_words(case)
    assert "image and text" in out.getvalue()
    assert text.NO_SIMILAR in " ".join(out.getvalue().split())
    assert "No similar case" not in shown(value.model_copy(update={"has_similar": True}))
    assert "closer than 99.4 % of random pairs, in that search" in text.similarity_words(
        value.candidates[0]
    ), "an older result has no other scale"
