"""The sliders: where each stands, and what they say."""

from __future__ import annotations

import pytest

from jomed_app.types import Moved
from jomed_app.ui.panels.diagnosis.influence import Influence, Weight
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine
from tests.ui.hostile import assert_shown_as_text


def test_sliders_stand_where_the_weights_are(result):
    sliders = Influence.of(result.candidates, result.final, None)
    assert [each.doublings for each in sliders.cases] == [0, 0, 0, 0]
    assert [each.share for each in sliders.cases] == pytest.approx([0.41, 0.27, 0.20, 0.12])
    assert (sliders.image_share, sliders.words) == (None, "")
    html = render(sliders)
    assert "disabled>Reset</button>" in html
    assert html.count("data-move=") == 4


def test_after_a_move_they_show_the_new_shares(result):
    """0.41 doubled twice beside 0.59: 1.64 / 2.23."""
    moved = FakeEngine().recompute(result, factors={"case-0": 4.0})
    sliders = Influence.of(moved.candidates, moved.final, moved.moved)
    assert sliders.cases[0].doublings == 2
    assert sliders.cases[0].share == pytest.approx(1.64 / 2.23)
    html = render(sliders)
    assert 'value="2.0" data-move="case-0"' in html
    assert "4 times its own weight, 74 % of the answer" in html
    assert "disabled" not in html


def test_the_image_has_a_slider_where_it_has_a_part(result):
    final = result.final.model_copy(
        update={"image_head": {"benign": 1.0}, "image_head_weight": 0.8}
    )
    html = render(Influence.of(result.candidates, final, Moved(image_share=0.8)))
    assert 'value="0.80" data-move=""' in html
    assert "80 % of the answer" in html


def test_what_was_moved_is_said_in_words():
    moved = Moved(removed=("a", "b"), factors={"c": 2.0, "d": 0.5}, image_share=0.25)
    assert Influence((), None, moved).words == (
        "without 2 similar cases, 2 weights changed, image alone 25%"
    )


def test_hostile_ids_are_shown_as_text():
    assert_shown_as_text(lambda words: Influence((Weight(words, 1, 0.0, 0.5),), None, None))
