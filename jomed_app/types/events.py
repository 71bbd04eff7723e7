"""What a running case says, in the order in which it comes true."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.types.query import InputInfo
from jomed_app.types.result import (
    BoxResult,
    CandidateResult,
    Consistency,
    DroppedCandidate,
    FinalResult,
    Result,
)


@dataclass(frozen=True, slots=True)
class ChecksDone:
    """First event: the input's checks, the domain check among them."""

    info: InputInfo


@dataclass(frozen=True, slots=True)
class CandidatesFound:
    """Retrieved candidates with weights, not read yet, whom they replace, and `has_similar`."""

    candidates: tuple[CandidateResult, ...]
    dropped: tuple[DroppedCandidate, ...] = ()
    has_similar: bool | None = None


@dataclass(frozen=True, slots=True)
class CandidateRead:
    """One candidate with the reader's prediction filled in."""

    candidate: CandidateResult


@dataclass(frozen=True, slots=True)
class FinalReady:
    """The marginal diagnosis and the consistency state."""

    final: FinalResult
    consistency: Consistency


@dataclass(frozen=True, slots=True)
class BoxesReady:
    """Boxes and findings; may be empty."""

    boxes: tuple[BoxResult, ...]
    findings: dict[str, dict[str, float]]
    report: str


@dataclass(frozen=True, slots=True)
class Completed:
    """Last event: the whole result."""

    result: Result


Event = ChecksDone | CandidatesFound | CandidateRead | FinalReady | BoxesReady | Completed
