"""From evidence to a conclusion and its words: hand values, the state, what decides, abstention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.inference.calibration.probabilities import (
    Calibration,
    ConformalSets,
    ReliabilityTable,
    Scaling,
)
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.conclude import Weighed, combine, conclude, weigh
from jomed_app.inference.conclusion.evidence import Evidence
from jomed_app.inference.result import refused, weighed_again, word_conclusion
from jomed_app.types import CandidateResult, ConsistencyState

LABELS = ("benign", "malignant")
VOTE = {"benign": 0.1, "malignant": 0.9}


def candidate(number: int, weight: float, benign: float, label: str = "benign") -> CandidateResult:
    probabilities = {"benign": benign, "malignant": 1 - benign}
    return CandidateResult(
        rank=number,
        candidate_id=f"c{number}",
        heads=("image",),
        retriever_score=0.5,
        weight=weight,
        similarity_percentile=50.0,
        label=label,
        passage="",
        prediction=max(probabilities, key=lambda name: probabilities[name]),
        probabilities=probabilities,
    )


def weighed(*rows: tuple[float, float], plain=None, vote=None, image=None) -> Weighed:
    """Candidates as (weight, p(benign)); what is beside them as p(benign) or by label."""
    weights = np.array([weight for weight, _ in rows])
    benign = np.array([p for _, p in rows])
    with np.errstate(divide="ignore"):
        return Weighed(
            log_weights=np.log(weights / weights.sum()),
            candidates=np.log(np.stack([benign, 1 - benign], axis=-1)),
            alone=None if plain is None else np.log(np.eye(2)[LABELS.index(plain)] + 1e-12),
            vote=None if vote is None else np.array([vote[label] for label in LABELS]),
            image=None if image is None else np.array([image[label] for label in LABELS]),
        )


def worded(said: Weighed, calibration: Calibration | None = None, **chosen: float):
    profile = Profile(settings=Settings(**chosen), calibration=calibration or Calibration())
    ids = [f"c{place}" for place in range(1, len(said.candidates) + 1)]
    return word_conclusion(combine(said, profile), LABELS, ids)


def test_the_marginal_by_hand():
    final, consistency = worded(weighed((0.75, 0.8), (0.25, 0.4)))
    assert final.probabilities == pytest.approx({"benign": 0.7, "malignant": 0.3})
    assert final.prediction == "benign"
    assert consistency.counts == {"benign": 1, "malignant": 1}
    assert consistency.state is ConsistencyState.DISAGREE
    assert consistency.decisive_candidate == "c1"


@pytest.mark.parametrize(
    ("benign", "plain", "state"),
    [
        ((0.8, 0.75), "benign", ConsistencyState.CONSISTENT),
        ((0.8, 0.75), "malignant", ConsistencyState.MIXED),
        ((0.95, 0.55), "benign", ConsistencyState.MIXED),
        ((0.8, 0.45), "benign", ConsistencyState.DISAGREE),
        ((0.8, 0.75), None, ConsistencyState.CONSISTENT),
    ],
)
def test_the_state_follows_the_candidates_and_the_query_alone(benign, plain, state):
    _, consistency = worded(weighed(*((0.5, p) for p in benign), plain=plain))
    assert consistency.state is state


def test_an_answer_that_rules_nothing_out_is_withheld():
    sets = ConformalSets(alpha=0.1, threshold=0.7, num_cases=50)
    sure, _ = worded(weighed((1.0, 0.8)), Calibration(conformal=sets))
    unsure, consistency = worded(weighed((1.0, 0.6)), Calibration(conformal=sets))
    assert (sure.prediction, sure.abstained) == ("benign", False)
    assert (unsure.prediction, unsure.abstained) == (None, True)
    assert "none of benign, malignant can be ruled out" in (unsure.reason or "")
    assert consistency.state is ConsistencyState.ABSTAIN
    assert unsure.probabilities == pytest.approx({"benign": 0.6, "malignant": 0.4})


def test_calibration_softens_and_states_an_interval():
    table = ReliabilityTable(edges=(), counts=(40,), num_correct=(30,), mean_probability=(0.8,))
    calibration = Calibration(scaling=Scaling(temperature=2.0), reliability=table)
    final, _ = worded(weighed((1.0, 0.8)), calibration)
    assert final.probabilities["benign"] == pytest.approx(2 / 3)  # sqrt(.8) : sqrt(.2) = 2 : 1
    assert final.interval is not None
    low, high = final.interval
    assert low < 2 / 3 < high
    assert low <= 0.75 <= high


def test_one_candidate_is_never_decisive():
    assert worded(weighed((1.0, 0.9)))[1].decisive_candidate is None


def test_the_candidate_that_costs_the_answer_most_decides():
    rows = [(0.25, p) for p in (0.70, 0.95, 0.10, 0.30)]
    assert worded(weighed(*rows))[1].decisive_candidate == "c2"


@pytest.mark.parametrize("percent", range(51, 100, 6))
def test_rounding_in_a_tie_is_no_flip(percent):
    first, second = percent / 100, 0.37
    rows = [(np.exp(3.0), 0.9), *((1.0, p) for p in (first, second, 1 - first, 1 - second))]
    assert worded(weighed(*rows))[1].decisive_candidate is None


def test_a_probability_of_zero_is_no_fault():
    final, _ = worded(weighed((0.5, 1.0), (0.5, 0.0)))
    assert sum(final.probabilities.values()) == pytest.approx(1.0)


def test_a_refusal_says_why_and_nothing_else():
    final, consistency = refused("no image")
    assert (final.prediction, final.reason) == (None, "no image")
    assert final.probabilities == {}
    assert consistency.state is ConsistencyState.ABSTAIN


def test_the_counter_case_is_named_unless_nothing_is_answered():
    found = combine(weighed((1.0, 0.9)), Profile())
    assert word_conclusion(found, LABELS, ["c1"], counter="c9")[1].counter_candidate == "c9"
    sets = ConformalSets(alpha=0.1, threshold=1.0, num_cases=5)
    withheld = combine(weighed((1.0, 0.9)), Profile(calibration=Calibration(conformal=sets)))
    assert word_conclusion(withheld, LABELS, ["c1"], counter="c9")[1].counter_candidate is None


def test_the_vote_is_mixed_in_by_hand():
    final, _ = worded(weighed((0.75, 0.8), (0.25, 0.4), vote=VOTE), vote_share=0.5)
    assert final.probabilities == pytest.approx({"benign": 0.4, "malignant": 0.6})
    assert final.prediction == "malignant"
    assert (final.neighbor_vote, final.neighbor_weight) == (VOTE, 0.5)


def test_the_image_alone_is_mixed_in_by_hand():
    image = {"benign": 0.5, "malignant": 0.5}
    said = weighed((0.75, 0.8), (0.25, 0.4), vote=VOTE, image=image)
    final, _ = worded(said, vote_share=0.5, image_share=0.3)
    assert final.probabilities["benign"] == pytest.approx(0.2 * 0.7 + 0.5 * 0.1 + 0.3 * 0.5)
    assert (final.image_head, final.image_head_weight) == (image, 0.3)


@pytest.mark.parametrize(("vote", "share"), [(VOTE, 0.0), (None, 0.5)], ids=["share 0", "no vote"])
def test_without_a_vote_or_a_share_nothing_is_mixed_in(vote, share):
    final, _ = worded(weighed((1.0, 0.8), vote=vote), vote_share=share)
    assert final.probabilities == pytest.approx({"benign": 0.8, "malignant": 0.2})
    assert final.neighbor_weight == 0.0


def test_the_vote_is_mixed_in_before_it_is_softened():
    said = weighed((1.0, 0.5), vote={"benign": 1.0, "malignant": 0.0})
    final, _ = worded(said, Calibration(scaling=Scaling(temperature=2.0)), vote_share=0.6)
    assert final.probabilities["benign"] == pytest.approx(2 / 3)  # sqrt(.8) : sqrt(.2) = 2 : 1


def test_the_state_is_of_the_candidates_and_not_of_the_vote():
    final, consistency = worded(weighed((0.5, 0.8), (0.5, 0.75), vote=VOTE), vote_share=0.9)
    assert final.prediction == "malignant"
    assert consistency.state is ConsistencyState.CONSISTENT


def test_a_vote_can_take_a_candidates_power_to_decide():
    """Without the first, the second says malignant; neighbors that say benign outweigh it."""
    rows = (0.75, 0.8), (0.25, 0.4)
    assert worded(weighed(*rows))[1].decisive_candidate == "c1"
    held = weighed(*rows, vote={"benign": 0.9, "malignant": 0.1})
    assert worded(held, vote_share=0.5)[1].decisive_candidate is None


def test_a_vote_can_give_a_candidate_the_power_to_decide():
    rows = (0.5, 0.95), (0.5, 0.8)
    assert worded(weighed(*rows))[1].decisive_candidate is None
    # Benign together: (0.875 + 0.1) / 2 < 1/2; without the second: (0.95 + 0.1) / 2 > 1/2.
    final, consistency = worded(weighed(*rows, vote=VOTE), vote_share=0.5)
    assert final.prediction == "malignant"
    assert consistency.decisive_candidate == "c2"


def test_what_decides_is_judged_on_the_calibrated_scale():
    """The bias makes benign win with and without any candidate."""
    rows = (0.5, 0.55), (0.5, 0.35)
    assert worded(weighed(*rows))[1].decisive_candidate == "c2"
    biased = Calibration(scaling=Scaling(bias=(2.0, -2.0)))
    final, consistency = worded(weighed(*rows), biased)
    assert final.prediction == "benign"
    assert consistency.decisive_candidate is None


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=6))
def test_the_final_probability_lies_between_the_candidates(rows):
    final, consistency = worded(weighed(*rows))
    values = [p for _, p in rows]
    assert min(values) - 1e-9 <= final.probabilities["benign"] <= max(values) + 1e-9
    assert sum(final.probabilities.values()) == pytest.approx(1.0)
    assert sum(consistency.counts.values()) == len(rows)


EVIDENCE = Evidence(
    candidates=np.log([[0.8, 0.2], [0.4, 0.6]]),
    scores=np.array([1.0, 1.0]),
    is_text=np.array([False, True]),
    alone=np.log([0.55, 0.45]),
    neighbor_scores=np.array([0.6, 0.6, 0.6]),
    neighbor_labels=np.array([0, 0, 1]),
    image=np.array([0.3, 0.7]),
)


def test_candidates_of_the_text_search_are_trusted_as_told():
    said = weigh(EVIDENCE, Settings(text_offset=-np.log(3)))
    np.testing.assert_allclose(np.exp(said.log_weights), [0.75, 0.25])


def test_guidance_moves_away_from_the_query_alone():
    said = weigh(EVIDENCE, Settings(guidance=1.0))
    first = np.array([0.8**2 / 0.55, 0.2**2 / 0.45])
    np.testing.assert_allclose(np.exp(said.candidates[0]), first / first.sum())


def test_as_many_neighbors_vote_as_told_and_near_ones_count_more():
    vote = weigh(EVIDENCE, Settings(num_neighbors=1)).vote
    np.testing.assert_allclose(vote, (1 / 1.001, 0.001 / 1.001))
    nearer = replace(EVIDENCE, neighbor_scores=np.array([0.6, 0.5, 0.6]))
    vote = weigh(nearer, Settings(vote_temperature=0.1 / np.log(2))).vote
    np.testing.assert_allclose(vote, (1.5 / 2.5, 1 / 2.5))  # the second counts one half


def test_a_label_of_the_index_alone_gets_what_the_vote_gives_it():
    """Its share of the vote by hand, 1/3; the other label, whoever speaks for it, has the rest."""
    new = replace(EVIDENCE, is_new=np.array([False, True]))
    profile = Profile(settings=Settings(vote_share=0.5, image_share=0.25))
    np.testing.assert_allclose(conclude(new, profile).probabilities, (2 / 3, 1 / 3))
    said = conclude(new.only("candidates"), profile).probabilities
    np.testing.assert_allclose(said, (0.6, 0.4), err_msg="without a vote the reader's word stands")
    cold = profile.model_copy(update={"calibration": Calibration(scaling=Scaling(temperature=0.5))})
    np.testing.assert_allclose(conclude(new, cold).probabilities, (0.8, 0.2))


def test_nothing_said_is_refused():
    with pytest.raises(ValueError, match="needs the reader or another part, found neither"):
        conclude(Evidence(), Profile())


def test_states_need_candidates():
    with pytest.raises(ValueError, match="a state needs candidates, found none"):
        _ = conclude(EVIDENCE.only("image"), Profile()).states


def test_a_result_holds_enough_to_be_concluded_again():
    """Words made of a conclusion, and a conclusion made of those words, agree."""
    profile = Profile(settings=Settings(vote_share=0.3, image_share=0.2, text_offset=-1.0))
    first = conclude(EVIDENCE, profile)
    final, consistency = word_conclusion(first, LABELS, ["c1", "c2"])
    weights = np.exp(first.weighed.log_weights)
    benign = np.exp(first.weighed.candidates)[:, 0]
    read = [candidate(1, weights[0], benign[0]), candidate(2, weights[1], benign[1])]
    again = combine(weighed_again(read, final, LABELS), profile)
    np.testing.assert_allclose(again.log_prob, first.log_prob, atol=1e-9)
    assert word_conclusion(again, LABELS, ["c1", "c2"])[1] == consistency
