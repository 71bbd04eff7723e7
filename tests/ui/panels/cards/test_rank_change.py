"""Where a candidate stands in the other search; the arrow is that of joint training."""

from __future__ import annotations

import pytest

from jomed_app.ui.panels.cards.rank_change import RankChange
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


@pytest.mark.parametrize(
    ("retrieval", "rank", "other", "kind", "words"),
    [
        ("joint", 1, 7, "up", "was 7th by similarity alone"),
        ("joint", 4, 3, "down", "was 3rd by similarity alone"),
        ("joint", 2, 2, "same", "unchanged: 2nd in both searches"),
        ("joint", 3, None, "new", "new: not among the first 50 by similarity alone"),
        ("standard", 1, 6, "down", "6th when jointly optimised"),
        ("standard", 3, 1, "up", "1st when jointly optimised"),
        ("standard", 4, None, "gone", "not among the first 50 when jointly optimised"),
    ],
)
def test_the_change_is_what_joint_training_did(result, retrieval, rank, other, kind, words):
    candidate = result.candidates[0].model_copy(update={"rank": rank, "other_rank": other})
    change = RankChange.of(candidate, retrieval)
    assert (change.kind, change.words) == (kind, words)
    assert f'class="change is-{kind}"' in render(change)


def test_a_screen_reader_hears_the_words_and_not_the_arrow():
    html = render(RankChange("up", "was 7th"))
    assert '<span class="change-mark" aria-hidden="true">↑</span><span>was 7th</span>' in html


def test_hostile_words_are_shown_as_text():
    assert_shown_as_text(lambda words: RankChange("same", words))
