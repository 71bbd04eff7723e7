"""From a hit to what the screen shows of it: the record's facts come along."""

from __future__ import annotations

from jomed_app.data.records import CaseRecord
from jomed_app.inference.result import found_candidate
from jomed_app.retrieval.search import Hit


class OneRecord:
    """The parts of an index that are asked."""

    def __init__(self, record: CaseRecord) -> None:
        self.record = record

    def candidate(self, candidate_id: str) -> CaseRecord:
        assert candidate_id == self.record.case_id
        return self.record

    def percentile(self, score: float, head: str) -> float:
        return 97.5


def found(*boxes: tuple[float, float, float, float]):
    record = CaseRecord(
        case_id="a", image="a.png", label="benign", passage="An oval mass.",
        boxes=boxes, rows=300, columns=400,
    )  # fmt: skip
    hit = Hit(
        candidate_id="a", heads=("image",), retriever_score=0.8, rank=2, relative_score=0.9,
        best_head="image", scores={"image": 0.8},
    )  # fmt: skip
    return found_candidate(OneRecord(record), hit, 0.25)


def test_a_candidate_brings_its_known_boxes_and_the_size_they_belong_to():
    boxes = ((40.0, 30.0, 200.0, 150.0), (10.0, 10.0, 20.0, 20.0))
    candidate = found(*boxes)
    assert candidate.boxes == boxes
    assert (candidate.rows, candidate.columns) == (300, 400)
    assert (candidate.rank, candidate.weight, candidate.label) == (2, 0.25, "benign")


def test_a_candidate_without_boxes_has_none():
    assert found().boxes == ()
