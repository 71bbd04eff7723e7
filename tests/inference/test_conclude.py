from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.inference.calibration.probabilities import (
    Calibration,
    ConformalSets,
    ReliabilityTable,
    Scaling,
)
from jomed_app.inference.conclude import Conclusion, conclude
from jomed_app.inference.ensemble import Opinions
from jomed_app.types import CandidateResult, ConsistencyState

LABELS = ("benign", "malignant")
PLAIN = Calibration()


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


def concluded(*candidates: CandidateResult, plain: str | None = None, **more) -> Conclusion:
    settings = {"labels": LABELS, "calibration": PLAIN, "max_spread": 0.3}
    opinions = {name: more.pop(name) for name in tuple(more) if name in Opinions.__slots__}
    return conclude(candidates, plain, opinions=Opinions(**opinions), **(settings | more))


def test_the_marginal_by_hand():
    result = concluded(candidate(1, 0.75, 0.8), candidate(2, 0.25, 0.4))
    assert result.final.probabilities == pytest.approx({"benign": 0.7, "malignant": 0.3})
    assert result.final.prediction == "benign"
    assert result.label_index == 0
    assert result.consistency.counts == {"benign": 1, "malignant": 1}
    assert result.consistency.state is ConsistencyState.DISAGREE
    assert result.consistency.decisive_candidate == "c1"


def test_weights_need_not_sum_to_one():
    whole = concluded(candidate(1, 0.5, 0.9), candidate(2, 0.25, 0.2))
    scaled = concluded(candidate(1, 1.0, 0.9), candidate(2, 0.5, 0.2))
    assert whole.final.probabilities == pytest.approx(scaled.final.probabilities)


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
    read = [candidate(place, 0.5, p) for place, p in enumerate(benign, start=1)]
    assert concluded(*read, plain=plain).consistency.state is state


def test_an_answer_that_rules_nothing_out_is_withheld():
    calibration = Calibration(conformal=ConformalSets(alpha=0.1, threshold=0.7, num_cases=50))
    sure = concluded(candidate(1, 1.0, 0.8), calibration=calibration)
    unsure = concluded(candidate(1, 1.0, 0.6), calibration=calibration)
    assert (sure.final.prediction, sure.final.abstained) == ("benign", False)
    assert (unsure.final.prediction, unsure.final.abstained) == (None, True)
    assert "none of benign, malignant can be ruled out" in (unsure.final.reason or "")
    assert unsure.consistency.state is ConsistencyState.ABSTAIN
    assert unsure.label_index == 0
    assert unsure.final.probabilities == pytest.approx({"benign": 0.6, "malignant": 0.4})


def test_calibration_softens_and_states_an_interval():
    table = ReliabilityTable((), (40,), (30,), (0.8,))
    calibration = Calibration(scaling=Scaling(temperature=2.0), reliability=table)
    final = concluded(candidate(1, 1.0, 0.8), calibration=calibration).final
    assert final.probabilities["benign"] == pytest.approx(2 / 3)  # sqrt(.8) : sqrt(.2) = 2 : 1
    assert final.interval is not None
    low, high = final.interval
    assert low < 2 / 3 < high
    assert low <= 0.75 <= high


def test_one_candidate_is_never_decisive():
    assert concluded(candidate(1, 1.0, 0.9)).consistency.decisive_candidate is None


def test_a_probability_of_zero_is_no_fault():
    result = concluded(candidate(1, 0.5, 1.0), candidate(2, 0.5, 0.0))
    assert sum(result.final.probabilities.values()) == pytest.approx(1.0)


def test_a_refusal_says_why_and_nothing_else():
    result = Conclusion.refused("no image")
    assert (result.final.prediction, result.final.reason) == (None, "no image")
    assert result.final.probabilities == {}
    assert result.consistency.state is ConsistencyState.ABSTAIN


def test_the_counter_case_is_named_on_a_copy():
    before = concluded(candidate(1, 1.0, 0.9))
    after = before.with_counter("c9")
    assert after.consistency.counter_candidate == "c9"
    assert before.consistency.counter_candidate is None
    assert after.final == before.final


VOTE = {"benign": 0.1, "malignant": 0.9}


def test_the_vote_is_mixed_in_by_hand():
    read = candidate(1, 0.75, 0.8), candidate(2, 0.25, 0.4)
    final = concluded(*read, vote=VOTE, vote_share=0.5).final
    assert final.probabilities == pytest.approx({"benign": 0.4, "malignant": 0.6})
    assert final.prediction == "malignant"
    assert (final.neighbor_vote, final.neighbor_weight) == (VOTE, 0.5)


def test_the_linear_head_is_mixed_in_by_hand():
    read = candidate(1, 0.75, 0.8), candidate(2, 0.25, 0.4)
    head = {"benign": 0.5, "malignant": 0.5}
    final = concluded(*read, vote=VOTE, vote_share=0.5, image_head=head, image_share=0.3).final
    assert final.probabilities["benign"] == pytest.approx(0.2 * 0.7 + 0.5 * 0.1 + 0.3 * 0.5)
    assert (final.image_head, final.image_head_weight) == (head, 0.3)


@pytest.mark.parametrize("more", [{"vote": VOTE}, {"vote_share": 0.5}], ids=["share 0", "no vote"])
def test_without_a_vote_or_a_share_nothing_is_mixed_in(more):
    final = concluded(candidate(1, 1.0, 0.8), **more).final
    assert final.probabilities == pytest.approx({"benign": 0.8, "malignant": 0.2})
    assert final.neighbor_weight == 0.0


def test_the_vote_is_mixed_in_before_it_is_softened():
    calibration = Calibration(scaling=Scaling(temperature=2.0))
    read = candidate(1, 1.0, 0.5)
    final = concluded(read, calibration=calibration, vote={"benign": 1.0}, vote_share=0.6).final
    assert final.probabilities["benign"] == pytest.approx(2 / 3)  # sqrt(.8) : sqrt(.2) = 2 : 1


def test_the_state_is_of_the_candidates_and_not_of_the_vote():
    read = candidate(1, 0.5, 0.8), candidate(2, 0.5, 0.75)
    result = concluded(*read, vote=VOTE, vote_share=0.9)
    assert result.final.prediction == "malignant"
    assert result.consistency.state is ConsistencyState.CONSISTENT


def test_a_vote_can_take_a_candidates_power_to_decide():
    """Without the first, the second says malignant; neighbors that say benign outweigh it."""
    read = candidate(1, 0.75, 0.8), candidate(2, 0.25, 0.4)
    assert concluded(*read).consistency.decisive_candidate == "c1"
    held = concluded(*read, vote={"benign": 0.9, "malignant": 0.1}, vote_share=0.5)
    assert held.consistency.decisive_candidate is None


def test_a_vote_can_give_a_candidate_the_power_to_decide():
    read = candidate(1, 0.5, 0.95), candidate(2, 0.5, 0.8)
    assert concluded(*read).consistency.decisive_candidate is None
    # Benign together: (0.875 + 0.1) / 2 < 1/2; without the second: (0.95 + 0.1) / 2 > 1/2.
    result = concluded(*read, vote=VOTE, vote_share=0.5)
    assert result.final.prediction == "malignant"
    assert result.consistency.decisive_candidate == "c2"


def test_what_decides_is_judged_on_the_calibrated_scale():
    """The bias makes benign win with and without any candidate."""
    calibration = Calibration(scaling=Scaling(bias=(2.0, -2.0)))
    read = candidate(1, 0.5, 0.55), candidate(2, 0.5, 0.35)
    assert concluded(*read).consistency.decisive_candidate == "c2"
    biased = concluded(*read, calibration=calibration)
    assert biased.final.prediction == "benign"
    assert biased.consistency.decisive_candidate is None


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=6))
def test_the_final_probability_lies_between_the_candidates(rows):
    result = concluded(*(candidate(i, w, p) for i, (w, p) in enumerate(rows, start=1)))
    benign = result.final.probabilities["benign"]
    values = [p for _, p in rows]
    assert min(values) - 1e-9 <= benign <= max(values) + 1e-9
    assert sum(result.final.probabilities.values()) == pytest.approx(1.0)
    assert sum(result.consistency.counts.values()) == len(rows)
