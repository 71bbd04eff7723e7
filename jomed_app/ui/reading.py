"""What the screen needs of an engine, and the running picture of one case built from its events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
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
    ImageRecord,
    InputInfo,
    OperatingPoint,
    Result,
    Retrieval,
)


class TaskView(Protocol):
    """The parts of a task that the screen shows."""

    @property
    def name(self) -> str:
        """Short name of the task."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order in which they are shown."""

    @property
    def has_boxes(self) -> bool:
        """Whether findings are outlined at all."""


class InfoView(Protocol):
    """The parts of `EngineInfo` that the screen shows."""

    @property
    def bundle(self) -> str:
        """Bundle name and version."""

    @property
    def index(self) -> str:
        """Index name and version."""

    @property
    def index_size(self) -> int:
        """Number of candidates in the index."""

    @property
    def task(self) -> TaskView:
        """The task that the bundle was trained for."""

    @property
    def box_threshold(self) -> float:
        """Score at or above which a box is drawn at first, in [0, 1]."""

    @property
    def opens_with(self) -> Retrieval:
        """The search that is made when none is asked for."""

    @property
    def error_rates(self) -> Mapping[str, float]:
        """Consistency state -> share of wrong answers on validation data, in [0, 1]."""

    @property
    def measured_on(self) -> str:
        """That data and the known cases beside it, in words; empty if never measured."""

    @property
    def box_operating_points(self) -> Sequence[OperatingPoint]:
        """What box thresholds mean on validation data, ascending; empty if never measured."""

    @property
    def standard(self) -> Any:
        """An `InfoView` of the search by similarity alone; None where there is one search only."""


def info_of(info: Any, retrieval: Retrieval) -> Any:
    """Return what an `EngineInfo` says of one search."""
    return info.standard if retrieval == "standard" and info.standard is not None else info


class ReadingEngine(Protocol):
    """What the screen asks of an engine; `inference.engine.Engine` satisfies it."""

    @property
    def info(self) -> Any:
        """An `InfoView`; `Any` because a frozen dataclass field is read as a property."""

    def run(
        self,
        image: ImageRecord,
        *,
        question: str | None = None,
        k: int | None = None,
        retrieval: Retrieval | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Yield typed events; the last is `Completed`."""

    def recompute(self, result: Result, removed: Collection[str]) -> Result:
        """Return the result without the removed candidates; arithmetic only."""

    def candidate(self, candidate_id: str, /) -> CaseRecord:
        """Return the record of an indexed case."""

    def candidate_image(self, candidate_id: str, /) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 RGB of an indexed case."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a case so far; grows with every event and never shrinks.

    Attributes:
        info: the input and its checks.
        retrieval: the search that found the candidates.
        candidates: in rank order, filled in as the reader gets to them.
        dropped: cases that the other search shows instead.
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
            case CandidatesFound(candidates=candidates, dropped=dropped):
                return replace(self, candidates=candidates, dropped=dropped)
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
        final=result.final,
        consistency=result.consistency,
        boxes=result.boxes,
        findings=result.findings,
        report=result.report,
        heatmap=result.heatmap,
        result=result,
    )
