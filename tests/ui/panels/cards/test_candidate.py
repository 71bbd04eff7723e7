"""A candidate's card: known label and prediction apart, dissent, removal, provenance."""

from __future__ import annotations

import pytest

from jomed_app.types import CandidateResult
from jomed_app.ui.panels.cards.candidate import Candidate
from jomed_app.ui.panels.cards.rank_change import RankChange
from jomed_app.ui.templates import render
from tests.ui.fake_values import LABELS
from tests.ui.hostile import assert_shown_as_text


def test_label_and_prediction_are_separate_lines(result):
    card = Candidate.of(result.candidates[1], labels=LABELS, final="malignant", can_remove=True)
    html = render(card)
    assert html.index('class="line known"') < html.index('class="line model"')
    assert html.count('class="line ') == 2
    assert "differs from the final diagnosis" in html
    assert "found by image; closer than 98.9 % of random pairs, image to image" in html
    assert 'aria-label="Remove case 2"' in html


def test_only_a_candidate_that_takes_part_dissents(result):
    one = result.candidates[1]
    assert one.prediction == "benign"
    assert Candidate.of(one, labels=LABELS, final="malignant").dissents
    assert not Candidate.of(one, labels=LABELS, final="benign").dissents
    assert not Candidate.of(one, labels=LABELS, final=None).dissents
    assert not Candidate.of(one, labels=LABELS, final="malignant", is_removed=True).dissents


def test_a_candidate_that_is_not_read_yet_has_no_prediction(result):
    waiting = result.candidates[0].model_copy(update={"prediction": None, "probabilities": {}})
    html = render(Candidate.of(waiting, labels=LABELS, final=None))
    assert "reading ..." in html
    assert 'class="bars"' not in html
    assert 'data-action="remove"' not in html


def test_a_removed_candidate_has_no_weight_and_can_come_back(result):
    one = result.candidates[0]
    html = render(Candidate.of(one, labels=LABELS, final=None, is_removed=True, can_remove=True))
    assert "removed from the sum" in html
    assert 'data-action="restore" data-id="case-0"' in html
    assert 'class="weight-name"' not in html


def test_its_weight_is_its_share_of_the_answer(result):
    """0.80 among the readings is 0.16 of an answer of which four fifths are the image alone."""
    one = result.candidates[0].model_copy(update={"weight": 0.8})
    card = Candidate.of(one, labels=LABELS, final="benign", reading_weight=0.2)
    assert card.share == pytest.approx(0.16)
    assert '<span class="bar-value">16 %</span>' in render(card)
    waiting = render(Candidate.of(one, labels=LABELS, final=None))
    assert 'class="weight-name"' not in waiting, "there is no answer to be a part of"


def test_the_counter_case_is_marked_where_it_is_a_candidate(result):
    one = result.candidates[0]
    assert "counter-case" in render(Candidate.of(one, labels=LABELS, final=None, is_counter=True))
    assert "counter-case" not in render(Candidate.of(one, labels=LABELS, final=None))


def test_its_source_is_said_with_the_search_that_found_it(result):
    card = Candidate.of(result.candidates[0], labels=LABELS, final=None)
    assert "found by image and by text; closer than 99.4 %" in render(card)
    facts = card.facts
    assert facts["source"] == "simulated breast ultrasound"
    assert facts["case"] == "case-0"


def test_a_hostile_candidate_is_shown_as_text():
    def hostile(words: str) -> Candidate:
        candidate = CandidateResult(
            rank=1, candidate_id=words, heads=("image",), retriever_score=0.5, weight=1.0,
            similarity_percentile=100.0, label=words, passage=words, provenance={words: words},
            prediction=words, probabilities={words: 1.0},
        )  # fmt: skip
        return Candidate.of(
            candidate, labels=LABELS, final="benign", is_counter=True, can_remove=True,
            change=RankChange("up", words),
        )  # fmt: skip

    assert_shown_as_text(hostile)
