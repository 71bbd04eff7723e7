from __future__ import annotations

import dataclasses
import inspect

import pytest

from jomed_app.errors import CancelledError
from jomed_app.imaging import read_image
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.inference.engine import Engine
from jomed_app.types import (
    BoxesReady,
    CandidateRead,
    CandidatesFound,
    ChecksDone,
    Completed,
    ConsistencyState,
    FinalReady,
    Timings,
    Window,
)
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png

QUERY = FIRST_FRESH_SEED


@pytest.fixture(scope="module")
def query():
    return read_image(simulated_png(QUERY))


@pytest.fixture(scope="module")
def events(tiny_engine, query):
    return list(tiny_engine.run(query))


@pytest.fixture(scope="module")
def result(events):
    return events[-1].result


def untimed(result):
    return result.model_copy(update={"timings_ms": Timings()})


def answered(engine, image, **more):
    return list(engine.run(image, **more))[-1].result


def kinds(events):
    return [type(event) for event in events]


def test_events_come_in_order(events):
    assert kinds(events) == [
        ChecksDone,
        CandidatesFound,
        *[CandidateRead] * 4,
        FinalReady,
        BoxesReady,
        Completed,
    ]


def test_the_result_is_the_sum_of_its_events(events, result):
    assert events[0].info == result.input
    assert tuple(each.candidate for each in events[2:6]) == result.candidates
    assert events[6] == FinalReady(result.final, result.consistency)
    assert events[7] == BoxesReady(result.boxes, result.findings, result.report)
    found = [each.candidate_id for each in events[1].candidates]
    assert found == [each.candidate_id for each in result.candidates]
    assert all(each.prediction is None for each in events[1].candidates)


def test_weights_and_probabilities_sum_to_one(tiny_engine, result):
    assert sum(each.weight for each in result.candidates) == pytest.approx(1.0)
    assert sum(result.final.probabilities.values()) == pytest.approx(1.0)
    for rank, each in enumerate(result.candidates, start=1):
        assert each.rank == rank
        assert tuple(each.probabilities) == tiny_engine.task.labels
        assert sum(each.probabilities.values()) == pytest.approx(1.0)
        assert each.prediction == max(each.probabilities, key=each.probabilities.get)
        assert each.answer_log_likelihood < 0


def test_candidates_are_what_the_index_holds(tiny_engine, result):
    for each in result.candidates:
        record = tiny_engine.candidate(each.candidate_id)
        assert (each.label, each.passage) == (record.label, record.passage)
        assert each.provenance["source"] == "simulated"
        assert tiny_engine.candidate_image(each.candidate_id).shape[2] == 3


def test_the_versions_name_bundle_and_index(tiny_engine, result):
    assert result.versions.bundle == tiny_engine.info.bundle
    assert result.versions.index == tiny_engine.info.index
    assert result.versions == tiny_engine.info.versions
    assert result.question == tiny_engine.task.question
    assert result.input.checks[-1].name == "domain"


def test_timings_add_up(result):
    timings = result.timings_ms
    assert timings.retrieve > 0
    assert timings.read > 0
    assert timings.total == pytest.approx(timings.decode + timings.retrieve + timings.read)


def test_the_same_input_gives_the_same_result(tiny_engine, query, result):
    assert untimed(answered(tiny_engine, query)) == untimed(result)


def test_the_display_window_is_nothing_to_the_model(tiny_engine, query, result):
    other = dataclasses.replace(query, windows=(Window(center=7.0, width=3.0),))
    assert untimed(answered(tiny_engine, other)) == untimed(result)


@pytest.mark.parametrize("k", [1, 3, 4, 7])
def test_k_candidates_are_read(tiny_engine, query, k):
    found = answered(tiny_engine, query, k=k).candidates
    assert len({each.candidate_id for each in found}) == k
    assert sum(each.weight for each in found) == pytest.approx(1.0)


def test_another_question_is_asked(tiny_engine, query, result):
    other = answered(tiny_engine, query, question="Is it a cyst?")
    assert other.question == "Is it a cyst?"
    assert [each.candidate_id for each in other.candidates] == [
        each.candidate_id for each in result.candidates
    ]
    assert other.final.probabilities != result.final.probabilities


def test_a_case_of_the_index_never_finds_itself(tiny_engine, tiny_corpus):
    folder, records = tiny_corpus
    for record in records[:3]:
        own = answered(tiny_engine, read_image((folder / record.image).read_bytes()))
        named = {each.candidate_id for each in own.candidates}
        assert len(named) == 4
        assert record.case_id not in named | {own.consistency.counter_candidate}


def test_the_counter_case_has_another_label(tiny_engine, result):
    counter = result.consistency.counter_candidate
    assert tiny_engine.candidate(counter).label != result.final.prediction


def test_the_decisive_candidate_decides(tiny_engine):
    """Whatever is named flips the answer when it goes; where none is, no single removal does."""
    checked = set()
    for seed in range(QUERY, QUERY + 8):
        result = answered(tiny_engine, read_image(simulated_png(seed)))
        if result.final.abstained:
            continue
        decisive = result.consistency.decisive_candidate
        checked.add(decisive is not None)
        for each in result.candidates:
            after = tiny_engine.recompute(result, {each.candidate_id})
            flips = top(after) != top(result)
            assert flips or each.candidate_id != decisive
            assert not flips or decisive is not None
    assert checked


def top(result):
    return max(result.final.probabilities, key=result.final.probabilities.get)


def test_boxes_lie_in_the_image_and_findings_are_whole(engine_that_says):
    image = read_image(simulated_png(QUERY + 1))
    rows, columns = image.model_input.shape[:2]
    assert rows != columns, "the letterbox has a margin"
    result = answered(engine_that_says("malignant"), image)
    assert result.final.prediction == "malignant"
    (box,) = result.boxes
    assert 0 <= box.x0 < box.x1 <= columns
    assert 0 <= box.y0 < box.y1 <= rows
    assert box.label == "malignant"
    assert 0 < box.score < 1
    heat = result.heatmap
    assert len(heat.values) == heat.rows * heat.columns
    assert (heat.rows < heat.columns) is (rows < columns), "without the margin"
    assert max(heat.values) == 1.0
    assert min(heat.values) >= 0.0
    for values in result.findings.values():
        assert sum(values.values()) == pytest.approx(1.0, abs=1e-5)
    assert result.report.startswith("Lesion: shape ")


def test_a_normal_case_has_no_findings(engine_that_says):
    """The localizer may still point somewhere; its score says how little it believes in it."""
    result = answered(engine_that_says("normal"), read_image(simulated_png(QUERY)))
    assert result.findings == {}
    assert result.report == "No lesion described."
    assert all(box.label == "lesion" for box in result.boxes)


@pytest.fixture
def engine_that_says(tiny_engine):
    """The tiny engine with a bias that makes one label win every case."""

    def make(label: str) -> Engine:
        labels = tiny_engine.task.labels
        bias = tuple(9.0 if each == label else 0.0 for each in labels)
        known = tiny_engine.profile.calibration
        scaling = known.scaling.model_copy(update={"bias": bias})
        calibration = known.model_copy(update={"scaling": scaling, "conformal": None})
        return with_calibration(tiny_engine, calibration)

    return make


def rebuilt(engine: Engine, **changed) -> Engine:
    names = list(inspect.signature(Engine).parameters)
    return Engine(**{name: getattr(engine, name) for name in names} | changed)


def with_calibration(engine: Engine, calibration: Calibration) -> Engine:
    profile = engine.profile.model_copy(update={"calibration": calibration})
    return rebuilt(engine, profile=profile)


def test_an_answer_that_rules_nothing_out_abstains_and_still_describes(tiny_engine, query):
    known = tiny_engine.profile.calibration
    conformal = known.conformal.model_copy(update={"threshold": 1.0})
    engine = with_calibration(tiny_engine, known.model_copy(update={"conformal": conformal}))
    events = list(engine.run(query))
    result = events[-1].result
    assert result.final.abstained
    assert result.consistency.state is ConsistencyState.ABSTAIN
    assert result.consistency.counter_candidate is None
    assert len(result.candidates) == 4
    assert kinds(events)[-2:] == [BoxesReady, Completed]


@pytest.mark.parametrize(
    ("allowed", "last"), [(0, CandidatesFound), (1, CandidateRead), (2, FinalReady)]
)
def test_a_stopped_case_keeps_nothing(tiny_engine, query, result, allowed, last):
    asked, seen = [], []

    def cancel() -> bool:
        asked.append(None)
        return len(asked) > allowed

    with pytest.raises(CancelledError, match="nothing was kept, start it again"):
        drain(tiny_engine.run(query, cancel=cancel), seen)
    assert type(seen[-1]) is last
    assert set(tiny_engine._candidates._held) <= set(tiny_engine.index.ids)
    assert untimed(answered(tiny_engine, query)) == untimed(result)


def drain(events, seen):
    """Keep what comes before an error."""
    for event in events:
        seen.append(event)


def test_two_cases_at_once_do_not_touch(tiny_engine, query, result):
    second = read_image(simulated_png(QUERY + 1))
    alone = untimed(answered(tiny_engine, second))
    runs = [tiny_engine.run(query), tiny_engine.run(second)]
    ends = {}
    for pair in zip(*runs, strict=True):
        for place, event in enumerate(pair):
            ends[place] = event
    assert untimed(ends[0].result) == untimed(result)
    assert untimed(ends[1].result) == alone


def test_warming_changes_nothing_but_the_wait(tiny_engine, query, result):
    engine = rebuilt(tiny_engine)
    assert engine.warm(limit=5) == 5
    assert engine.warm() == len(tiny_engine.index)
    warm = answered(engine, query)
    assert [each.candidate_id for each in warm.candidates] == [
        each.candidate_id for each in result.candidates
    ]
    assert warm.final.probabilities == pytest.approx(result.final.probabilities, abs=1e-5)
