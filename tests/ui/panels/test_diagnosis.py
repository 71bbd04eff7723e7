"""What is written on the page: escaping, wording, and that label and prediction stay apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.types import CandidateResult, Check, ConsistencyState, FinalResult, InputInfo
from jomed_app.ui import text
from jomed_app.ui.panels import cards
from jomed_app.ui.panels import diagnosis as render
from jomed_app.ui.panels import frame as page
from jomed_app.ui.reading import Reading, reading_of
from tests.ui.fake_engine import FakeEngine, FakeInfo, png_bytes
from tests.ui.fake_values import LABELS

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"


def hostile_candidate() -> CandidateResult:
    return CandidateResult(
        rank=1,
        candidate_id=HOSTILE,
        heads=("image",),
        retriever_score=0.5,
        weight=1.0,
        similarity_percentile=100.0,
        label=HOSTILE,
        passage=HOSTILE,
        provenance={HOSTILE: HOSTILE},
        prediction=HOSTILE,
        probabilities={HOSTILE: 1.0},
    )


@pytest.fixture(scope="module")
def result():
    from jomed_app.imaging import read_image

    return list(FakeEngine().run(read_image(png_bytes())))[-1].result


def test_a_hostile_candidate_is_shown_as_text():
    html = cards.candidate_card(
        hostile_candidate(),
        labels=LABELS,
        final="benign",
        is_removed=False,
        is_counter=True,
        can_remove=True,
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_a_hostile_result_is_shown_as_text(result):
    final = FinalResult(
        prediction=HOSTILE, probabilities={HOSTILE: 1.0}, query_only_prediction=HOSTILE
    )
    hostile = result.model_copy(
        update={
            "final": final,
            "candidates": (hostile_candidate(),),
            "consistency": result.consistency.model_copy(update={"counts": {HOSTILE: 1}}),
            "findings": {HOSTILE: {HOSTILE: 1.0}},
            "report": HOSTILE,
            "boxes": (result.boxes[0].model_copy(update={"label": HOSTILE}),),
        }
    )
    reading = reading_of(hostile)
    for html in (
        render.panel(reading, FakeInfo(), flip_to=HOSTILE),
        render.findings(reading),
        page.banner(HOSTILE),
        page.status(HOSTILE),
    ):
        assert "<script" not in html
        assert "<img" not in html
        assert "&lt;script&gt;" in html


def test_hostile_checks_and_metadata_are_shown_as_text():
    check = Check(name=HOSTILE, passed=False, value=HOSTILE, message=HOSTILE)
    info = InputInfo(
        sha256="0", format=HOSTILE, modality=HOSTILE, rows=1, columns=1,
        photometric=HOSTILE, checks=(check,),
    )  # fmt: skip
    html = page.checks(info, {HOSTILE: HOSTILE})
    assert "<script" not in html
    assert "<img" not in html


def test_label_and_prediction_are_separate_lines(result):
    html = cards.candidate_card(
        result.candidates[1],
        labels=LABELS,
        final="malignant",
        is_removed=False,
        is_counter=False,
        can_remove=True,
    )
    known, model = html.index('class="line known"'), html.index('class="line model"')
    assert known < model
    assert "differs from the final diagnosis" in html
    assert "closer than 98.9 % of random corpus pairs" in html
    assert 'aria-label="Remove candidate 2"' in html


def test_a_candidate_that_is_not_read_yet_has_no_prediction(result):
    waiting = result.candidates[0].model_copy(update={"prediction": None, "probabilities": {}})
    html = cards.candidate_card(
        waiting, labels=LABELS, final=None, is_removed=False, is_counter=False, can_remove=False
    )
    assert "reading ..." in html
    assert 'class="bars"' not in html
    assert "<button" not in html


def test_the_sum_is_shown_as_parts(result):
    html = render.sum_table(result.candidates, result.final)
    parts = sum(item.weight * item.probabilities["malignant"] for item in result.candidates)
    assert f"<td>{parts:.3f}</td>" in html
    assert "&times; 0.84" in html


def test_the_vote_is_a_part_of_the_sum(result):
    voted = {"neighbor_vote": {"benign": 0.25, "malignant": 0.75}, "neighbor_weight": 0.4}
    html = render.sum_table(result.candidates, result.final.model_copy(update=voted))
    parts = sum(item.weight * item.probabilities["malignant"] for item in result.candidates)
    assert text.NEAREST_LABELS in html
    assert "<td>0.40</td><td>&times; 0.75</td><td>0.300</td>" in html
    assert f"<td>{0.6 * parts + 0.3:.3f}</td>" in html
    assert text.NEAREST_LABELS not in render.sum_table(result.candidates, result.final)


def test_the_linear_head_is_a_part_of_the_sum(result):
    heard = {"image_head": {"benign": 0.1, "malignant": 0.9}, "image_head_weight": 0.5}
    html = render.sum_table(result.candidates, result.final.model_copy(update=heard))
    parts = sum(item.weight * item.probabilities["malignant"] for item in result.candidates)
    assert text.IMAGE_HEAD in html
    assert f"<td>{0.5 * parts + 0.45:.3f}</td>" in html


def test_an_undecided_case_still_shows_its_probabilities(result):
    undecided = result.final.model_copy(update={"prediction": None, "abstained": True})
    html = render.final_block(undecided, ("benign", "malignant"))
    assert "none given" in html
    assert text.UNDECIDED in html
    assert f"{result.final.probabilities['benign']:.2f}" in html
    refused = undecided.model_copy(update={"probabilities": {}})
    assert text.UNDECIDED not in render.final_block(refused, ("benign", "malignant"))


def test_calibration_is_claimed_where_it_was_measured_alone(result):
    labels = ("benign", "malignant")
    known = render.final_block(result.final, labels, "40 images, with 12 cases as known cases")
    assert "Calibrated: about" in known
    assert "Measured on 40 images, with 12 cases as known cases; expect less elsewhere." in known
    unknown = render.final_block(result.final, labels)
    assert "Calibrated: about" not in unknown
    assert text.NOT_MEASURED in unknown


def test_a_refusal_speaks_of_no_case_that_was_not_read(result):
    consistency = result.consistency.model_copy(update={"state": ConsistencyState.ABSTAIN})
    refused = result.final.model_copy(update={"prediction": None, "reason": "no ultrasound"})
    html = render.warning(consistency, refused, (), info=FakeInfo(), flip_to=None)
    assert "What to do" in html
    assert "similar cases" not in html
    assert "no case was read" in text.done_status(500.0, 0)


def test_no_box_is_said_in_words(result):
    reading = reading_of(result.model_copy(update={"boxes": ()}))
    assert "does not mean normal" in render.findings(reading)


def test_findings_wait_until_they_are_known(result):
    assert render.findings(Reading(info=result.input)) == ""
    normal = reading_of(result.model_copy(update={"findings": {}}))
    assert "No descriptor applies" in render.findings(normal)


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        (ConsistencyState.CONSISTENT, "Candidates agree"),
        (ConsistencyState.MIXED, "confidence varies"),
        (ConsistencyState.DISAGREE, "Candidates disagree"),
        (ConsistencyState.ABSTAIN, "No result"),
    ],
)
def test_each_state_has_its_heading(result, state, heading):
    consistency = result.consistency.model_copy(update={"state": state, "counts": {"benign": 4}})
    html = render.warning(
        consistency, result.final, result.candidates, info=FakeInfo(), flip_to=None
    )
    assert heading in html
    assert f"is-{state.value}" in html


@pytest.mark.parametrize(
    ("sure", "words"),
    [((0.71, 0.9), "confidence from 0.71 to 0.90."), ((0.991, 0.994), "with confidence 0.99.")],
)
def test_agreeing_candidates_are_said_to_be_as_sure_as_they_are(result, sure, words):
    said = [
        item.model_copy(update={"probabilities": {"benign": value, "normal": 1 - value}})
        for item, value in zip(result.candidates, sure, strict=False)
    ]
    agreeing = result.consistency.model_copy(
        update={"state": ConsistencyState.CONSISTENT, "counts": {"benign": 2}}
    )
    assert words in render.warning(agreeing, result.final, said, info=FakeInfo(), flip_to=None)


def test_an_answer_that_no_candidate_gives_is_a_warning(result):
    """Four candidates that agree must not look like agreement with the final answer."""
    other = next(name for name in LABELS if name != result.final.prediction)
    update = {
        "state": ConsistencyState.CONSISTENT,
        "decisive_candidate": None,
    }

    def shown(counts):
        changed = result.consistency.model_copy(update={**update, "counts": counts})
        return render.warning(
            changed, result.final, result.candidates, info=FakeInfo(), flip_to=None
        )

    html = shown({other: 4})
    assert "Candidates agree, the final answer differs" in html
    assert f"The final answer is <b>{result.final.prediction}</b>, which no candidate says" in html
    assert "is-contradicted" in html
    assert "differs" not in shown({result.final.prediction: 4})


def test_the_disclaimer_is_on_the_page():
    html = page.header("1.2.3", FakeInfo())
    assert (
        "Research demo - not a medical device. Do not use for diagnosis. "
        "Do not upload patient-identifying images." in html
    )
    for version in ("1.2.3", "fake 1", "fake-index 1", "1,200"):
        assert version in html


def test_failed_checks_are_spelled_out():
    check = Check(name="domain", passed=False, value=0.1, message="unlike the corpus")
    info = InputInfo(sha256="0", format="png", rows=5, columns=6, photometric="L", checks=(check,))
    html = page.checks(info)
    assert 'class="check-note"' in html
    assert "not passed: unlike the corpus" in html
    assert page.checks(None) == ""


@given(st.floats(0, 1))
def test_count_words_never_claim_certainty(probability):
    words = text.count_words(probability)
    assert "10 of 10" not in words
    assert "0 of 10" not in words.replace("10 such", "")


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.68, "about 7 of 10 such cases"), (0.02, "fewer than 1 of 10"), (0.99, "nearly all")],
)
def test_count_words(probability, words):
    assert words in text.count_words(probability)


def test_a_percentile_is_never_all_pairs():
    assert text.percentile_words(100.0) == "closer than 99.9 % of random corpus pairs"
