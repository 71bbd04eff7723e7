"""Values that cross borders: the image record, the events of a running case and the Result schema.

The screen, the command line, the API and every export are made from one `Result`
(schema `jomed.result/2`). Nothing here imports torch, gradio or pydicom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Head = Literal["image", "text"]
CorpusKind = Literal["real", "simulated"]
Retrieval = Literal["joint", "standard"]
"""How candidates are found: by the query heads that the reader taught, or by similarity alone."""


class Frozen(BaseModel):
    """Base of all schema models: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(Frozen):
    """One input check: what was looked at, whether it passed and the figure behind it."""

    name: str
    passed: bool
    value: float | str | None = None
    message: str


class InputInfo(Frozen):
    """What is known of the query file, by allow-list; never a patient attribute."""

    sha256: str = Field(description="hash of the file's bytes, hex")
    format: str = Field(description="dicom, png, jpeg or tiff")
    modality: str | None = Field(default=None, description="DICOM (0008,0060), else None")
    rows: int
    columns: int
    photometric: str = Field(description="DICOM (0028,0004), or the raster mode (L, RGB, I;16)")
    checks: tuple[Check, ...] = ()


class Versions(Frozen):
    """What produced a result; equal versions and input give an equal result on one machine.

    A result of schema `jomed.result/1` tells neither models nor how they ran: those are None.
    """

    app: str
    bundle: str
    index: str
    reader: str | None = Field(default=None, description="kind, and short hash of its weights")
    retriever: str | None = Field(default=None, description="kind, and short fingerprint")
    number_type: str | None = Field(default=None, description="of matrix products: bf16 or fp32")
    precision: str | None = Field(default=None, description="how the reader's weights were held")
    threads: int | None = Field(default=None, ge=1, description="that share a matrix product")
    schema_: Literal["jomed.result/1", "jomed.result/2"] = Field(
        default="jomed.result/2", alias="schema"
    )

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class CandidateResult(Frozen):
    """One retrieved case and, once read, the reader's prediction for the query beside it."""

    rank: int = Field(ge=1)
    candidate_id: str
    heads: tuple[Head, ...] = Field(description="which searches found it")
    retriever_score: float = Field(description="inner product, higher is better")
    weight: float = Field(ge=0, le=1, description="p(candidate | query); sums to 1 over candidates")
    similarity_percentile: float = Field(
        ge=0, le=100, description="share of corpus pairs less similar"
    )
    label: str = Field(description="known label of the candidate, not a prediction")
    passage: str
    provenance: dict[str, str] = {}
    prediction: str | None = Field(default=None, description="the model's answer for the query")
    probabilities: dict[str, float] = Field(default={}, description="p(label | query, candidate)")
    answer_log_likelihood: float | None = Field(
        default=None,
        description="log p(predicted answer | query, candidate), nats, summed over tokens",
    )
    other_rank: int | None = Field(
        default=None,
        ge=1,
        description="its place in the other search, deepened past what that search shows; None "
        "when it is not among the first 50 of either head",
    )
    rows: int = Field(default=0, ge=0, description="size of its image file, px; 0 where unknown")
    columns: int = Field(default=0, ge=0, description="as rows")
    boxes: tuple[tuple[float, float, float, float], ...] = Field(
        default=(), description="known, XYXY px of its own image file; empty: none is known"
    )


class DroppedCandidate(Frozen):
    """A case that the other search shows and this one does not, with its rank there."""

    candidate_id: str
    rank: int = Field(ge=1)
    label: str = Field(description="known label")


class FinalResult(Frozen):
    """The marginal diagnosis: sum over candidates of weight times p(label | query, candidate)."""

    prediction: str | None
    probabilities: dict[str, float] = Field(description="calibrated; sums to 1")
    interval: tuple[float, float] | None = Field(
        default=None, description="95 % interval of the predicted class's probability"
    )
    query_only_prediction: str | None = None
    neighbor_vote: dict[str, float] = Field(
        default={}, description="share of each known label among the nearest cases"
    )
    neighbor_weight: float = Field(default=0.0, ge=0, le=1, description="of the vote in the sum")
    image_head: dict[str, float] = Field(default={}, description="of the image, no candidate")
    image_head_weight: float = Field(default=0.0, ge=0, le=1, description="of it in the sum")
    index_only: tuple[str, ...] = Field(default=(), description="labels that only the vote gives")
    abstained: bool = False
    reason: str | None = None


class ConsistencyState(StrEnum):
    """How far the candidates' predictions agree (JOMED: inconsistent retrieval predictions)."""

    CONSISTENT = "consistent"
    MIXED = "mixed"
    DISAGREE = "disagree"
    ABSTAIN = "abstain"


class Consistency(Frozen):
    """State, counts per predicted class, decisive candidate (its removal flips the answer)."""

    state: ConsistencyState
    counts: dict[str, int] = {}
    decisive_candidate: str | None = None
    counter_candidate: str | None = Field(
        default=None, description="id of the nearest case whose known label differs from the final"
    )


class BoxResult(Frozen):
    """A box in pixels of the input image (XYXY, half-open) with its score in [0, 1]."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float = Field(ge=0, le=1)
    label: str


class HeatMap(Frozen):
    """Where the model looked: values row by row, 0 to 1 of the maximum, over the whole input."""

    rows: int
    columns: int
    values: tuple[float, ...]


class OperatingPoint(Frozen):
    """At a box threshold: share of drawn boxes that are false, share of lesions that are found."""

    threshold: float
    false_share: float
    found_share: float


class Timings(Frozen):
    """Wall-clock milliseconds per step."""

    decode: float = 0.0
    retrieve: float = 0.0
    read: float = 0.0
    total: float = 0.0


class Result(Frozen):
    """Everything one case produced, schema `jomed.result/2`."""

    versions: Versions
    input: InputInfo
    question: str
    candidates: tuple[CandidateResult, ...] = ()
    final: FinalResult
    consistency: Consistency
    boxes: tuple[BoxResult, ...] = ()
    findings: dict[str, dict[str, float]] = Field(
        default={}, description="descriptor -> value -> marginal probability"
    )
    report: str = ""
    timings_ms: Timings = Timings()
    retrieval: Retrieval = Field(
        default="standard", description="standard too where the bundle's query heads are untrained"
    )
    dropped: tuple[DroppedCandidate, ...] = ()
    heatmap: HeatMap | None = None

    @property
    def searches_differ(self) -> bool:
        """Whether the other search shows other cases, or the same in another order."""
        return bool(self.dropped) or any(
            each.other_rank not in (None, each.rank) for each in self.candidates
        )


@dataclass(frozen=True, slots=True)
class Window:
    """A display window in modality values: DICOM (0028,1050) center, (0028,1051) width > 0."""

    center: float
    width: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One decoded frame in memory; the file itself is never kept.

    Attributes:
        model_input: (rows, columns, 3) uint8 RGB, the fixed rendering that the model sees.
        modality_values: (rows, columns) float32 after the modality LUT, or None for colour.
        inverted: whether higher modality values are darker (MONOCHROME1 or INVERSE, once).
        windows: display windows the file offers, first is the default; never empty for grey images.
        info: hash, format, size and checks.
        metadata: allow-listed, printable facts only.
        num_frames: frames in the file (>= 1); frame: the one decoded, from 0.
        pixel_spacing_mm: (row, column) spacing or None.
        decode_ms: wall-clock of decoding.
    """

    model_input: NDArray[np.uint8]
    modality_values: NDArray[np.float32] | None
    inverted: bool
    windows: tuple[Window, ...]
    info: InputInfo
    metadata: dict[str, str] = field(default_factory=dict)
    num_frames: int = 1
    frame: int = 0
    pixel_spacing_mm: tuple[float, float] | None = None
    decode_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class ChecksDone:
    """First event: the input's checks, the domain check among them."""

    info: InputInfo


@dataclass(frozen=True, slots=True)
class CandidatesFound:
    """Retrieved candidates with weights, before the reader has read them; and whom they replace."""

    candidates: tuple[CandidateResult, ...]
    dropped: tuple[DroppedCandidate, ...] = ()


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
