"""Cases that are hardly a part of the answer: which are folded, and what is said of them."""

from __future__ import annotations

import pytest

from jomed_app.types import CandidateResult, FinalResult
from jomed_app.ui.panels.viewer.folded import Folded, FoldedCase, folded_ids
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


def cases(*weights: float, names: str = "abcdef") -> list[CandidateResult]:
    return [
        CandidateResult(
            rank=rank, candidate_id=name, heads=("text",), retriever_score=0.1, weight=weight,
            similarity_percentile=90.0, image_percentile=31.0, label="benign", passage="",
        )
        for rank, (weight, name) in enumerate(zip(weights, names, strict=False), start=1)
    ]  # fmt: skip


def final(reading_weight: float, **more) -> FinalResult:
    return FinalResult(
        prediction="benign",
        probabilities={"benign": 1.0},
        image_head_weight=1 - reading_weight,
        **more,
    )


def folded(shown, current=None, answer=None, kept=()) -> str:
    known = {each.candidate_id: each for each in (shown if current is None else current)}
    return "".join(sorted(folded_ids(shown, known, answer, kept)))


@pytest.mark.parametrize(
    ("readings", "expected"),
    [(1.0, ""), (0.2, "cd"), (0.04, "bcd"), (0.01, "bcd"), (0.0, "bcd")],
)
def test_what_is_less_than_2_percent_of_the_answer_is_folded_but_never_all(readings, expected):
    """Of 0.8, 0.12, 0.05 and 0.03 among the readings."""
    assert folded(cases(0.8, 0.12, 0.05, 0.03), answer=final(readings)) == expected


def test_exactly_2_percent_keeps_its_pane():
    assert folded(cases(0.98, 0.02, 0.0199), answer=final(1.0)) == "c"


def test_before_the_answer_only_what_cannot_count_is_folded():
    assert folded(cases(0.9, 0.085, 0.015)) == "c"


def test_counter_case_and_the_case_that_decides_keep_their_panes():
    assert folded(cases(0.9, 0.085, 0.01, 0.005), answer=final(1.0), kept={"d"}) == "c"


def test_what_is_left_after_a_removal_counts_more_and_the_removed_stays_where_it_was():
    shown = cases(0.9, 0.085, 0.01, 0.005)
    left = cases(0.85, 0.1, 0.05, names="bcd")
    assert folded(shown, left, final(1.0)) == ""
    assert folded(shown, cases(0.91, 0.085, 0.005, names="abd"), final(1.0)) == "cd"


def test_where_only_the_index_knows_the_label_nothing_is_folded():
    answer = final(0.0, index_only=("benign",))
    assert folded(cases(0.9, 0.1), answer=answer) == ""


def test_no_case_leaves_nothing_to_say():
    assert folded_ids([], {}, None) == frozenset()
    assert render(Folded(())) == ""


def test_the_list_says_how_many_why_and_what_each_is():
    one, two = cases(0.6, 0.4)
    read = two.model_copy(update={"prediction": "benign", "probabilities": {"benign": 0.72}})
    html = render(Folded((FoldedCase(one, None, False), FoldedCase(read, 0.004, True))))
    assert "2 more similar cases: the reading beside each is less than 2 % of the answer." in html
    assert "reading ..." in html
    assert "Read <b>benign 0.72</b>" in html
    assert "found by text; closer than 31.0 % of random pairs, image to image" in html
    assert "removed from the sum" in html
    single = render(Folded((FoldedCase(read, 0.004, False),)))
    assert "1 more similar case: the reading beside it is less than 2 %" in single
    assert "0.4 % of the answer" in single


def test_a_hostile_case_is_shown_as_text():
    def hostile(words: str) -> Folded:
        return Folded(
            tuple(
                FoldedCase(
                    each.model_copy(
                        update={"candidate_id": words, "label": words, "prediction": words,
                                "probabilities": {words: 1.0}}
                    ),
                    0.01,
                    False,
                )
                for each in cases(1.0)
            )
        )  # fmt: skip

    assert_shown_as_text(hostile)
