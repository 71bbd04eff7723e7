"""The running picture of one case, built from the engine's events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jomed_app.types import (
    BoxesReady,
    BoxResult,
    CandidateRead,
    CandidateResult,
    CandidatesFound,
    ChecksDone,
    Completed,
    Consistency,
    DroppedCandidate,
    Event,
    FinalReady,
    FinalResult,
    HeatMap,
    InputInfo,
    Result,
    Retrieval,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a case so far; grows with every event and never shrinks.

    Attributes:
        info: the input and its checks.
        retrieval: the search that found the candidates.
        candidates: in rank order, filled in as the reader gets to them.
        dropped: cases that the other search shows instead.
        has_similar: whether the nearest case of the collection is a similar one, where measured.
        final, consistency: None until the marginal diagnosis is known.
        boxes: None until localization has run; empty means that none was returned.
        findings: descriptor -> value -> probability in [0, 1].
        report: one sentence, empty until known.
        heatmap: where the model looked; None until the run has completed, or where there is none.
        result: the whole result once the run has completed.
    """

    info: InputInfo
    retrieval: Retrieval = "joint"
    candidates: tuple[CandidateResult, ...] = ()
    dropped: tuple[DroppedCandidate, ...] = ()
    has_similar: bool | None = None
    final: FinalResult | None = None
    consistency: Consistency | None = None
    boxes: tuple[BoxResult, ...] | None = None
    findings: Mapping[str, Mapping[str, float]] | None = None
    report: str = ""
    heatmap: HeatMap | None = None
    result: Result | None = None

    def after(self, event: Event) -> Reading:
        """Return the picture after one more event."""
        match event:
            case ChecksDone(info=info):
                return replace(self, info=info)
            case CandidatesFound(candidates=candidates, dropped=dropped, has_similar=similar):
                return replace(self, candidates=candidates, dropped=dropped, has_similar=similar)
            case CandidateRead(candidate=read):
                merged = tuple(
                    read if known.candidate_id == read.candidate_id else known
                    for known in self.candidates
                )
                return replace(self, candidates=merged)
            case FinalReady(final=final, consistency=consistency):
                return replace(self, final=final, consistency=consistency)
            case BoxesReady(boxes=boxes, findings=findings, report=report):
                return replace(self, boxes=boxes, findings=findings, report=report)
            case Completed(result=result):
                return reading_of(result)

    @property
    def num_read(self) -> int:
        """How many candidates carry a prediction already."""
        return sum(candidate.prediction is not None for candidate in self.candidates)


def reading_of(result: Result) -> Reading:
    """Return the complete picture that a result describes."""
    return Reading(
        info=result.input,
        retrieval=result.retrieval,
        candidates=result.candidates,
        dropped=result.dropped,
        has_similar=result.has_similar,
        final=result.final,
        consistency=result.consistency,
        boxes=result.boxes,
        findings=result.findings,
        report=result.report,
        heatmap=result.heatmap,
        result=result,
    )
