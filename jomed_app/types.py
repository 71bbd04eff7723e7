"""Values that cross borders: the image record, the events of a running case and the Result schema.

The screen, the command line, the API and every export are made from one `Result`
(schema `jomed.result/4`). Nothing here imports torch, gradio or pydicom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Head = Literal["image", "text"]
CorpusKind = Literal["real", "simulated"]
Retrieval = Literal["joint", "standard"]
"""How candidates are found: by the query heads that the reader taught, or by similarity alone."""
RegionSource = Literal["tag", "detected", "whole", "user"]
"""Who says which part of a picture is read: the file, the app, nobody, or a person."""
RegionWish = Literal["found", "whole"] | tuple[int, int, int, int]
"""What to read of a picture: the region that is found, all of it, or (x0, y0, x1, y1) of its px."""
GrayValues = NDArray[np.float32 | np.uint8 | np.uint16 | np.int16]
"""Modality values of a gray picture, finite: samples of 16 bits and 8-bit display values as they
are stored, all others as float32."""


class Frozen(BaseModel):
    """Base of all schema models: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(Frozen):
    """One input check: what was looked at, whether it passed and the figure behind it."""

    name: str
    passed: bool
    value: float | str | None = None
    message: str


class Region(Frozen):
    """The part of the file's picture that is read, in px of the file, half-open: x0 <= x < x1."""

    x0: int = Field(ge=0)
    y0: int = Field(ge=0)
    x1: int = Field(gt=0)
    y1: int = Field(gt=0)
    source: RegionSource = Field(
        description="tag: Sequence of Ultrasound Regions (0018,6011); detected: on a machine's "
        "screen; whole: the picture is the region; user: set by hand"
    )
    spacing_mm: tuple[float, float] | None = Field(
        default=None, description="(row, column) mm a pixel, as the file says"
    )

    @model_validator(mode="after")
    def _is_not_empty(self) -> Region:
        if self.x0 >= self.x1 or self.y0 >= self.y1:
            raise ValueError("a region must have x0 < x1 and y0 < y1, found none such; order XYXY")
        return self

    @classmethod
    def of_whole(
        cls, rows: int, columns: int, spacing_mm: tuple[float, float] | None = None
    ) -> Region:
        """Return the region that is the picture of rows x columns px itself."""
        return cls(x0=0, y0=0, x1=columns, y1=rows, source="whole", spacing_mm=spacing_mm)

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1), px of the file."""
        return self.x0, self.y0, self.x1, self.y1

    def holds(self, other: Region) -> bool:
        """Whether another region lies inside this one."""
        return (
            self.x0 <= other.x0
            and self.y0 <= other.y0
            and other.x1 <= self.x1
            and other.y1 <= self.y1
        )


class InputInfo(Frozen):
    """What is known of the query file, by allow-list; never a patient attribute.

    Nor the file's hash: whoever holds the file could find its patient's result by it.
    """

    format: str = Field(description="dicom, png, jpeg or tiff")
    modality: str | None = Field(default=None, description="DICOM (0008,0060), else None")
    rows: int = Field(description="of the file's picture; what of it was read: region")
    columns: int
    region: Region | None = Field(
        default=None, description="what of the picture was read; None in results before /3"
    )
    region_as_asked: bool = Field(
        default=False, description="another part than the one found was read by the reader's wish"
    )
    photometric: str = Field(description="DICOM (0028,0004), or the raster mode (L, RGB, I;16)")
    checks: tuple[Check, ...] = ()
    inverted_as_asked: bool = Field(
        default=False, description="black and white were exchanged by the reader's wish"
    )
    overruled: tuple[str, ...] = Field(
        default=(), description="failed checks that the reader went past, for research"
    )

    @property
    def overruled_messages(self) -> tuple[str, ...]:
        """What the checks said that the reader went past."""
        said = {check.name: check.message for check in self.checks}
        return tuple(said[name] for name in self.overruled if name in said)

    @model_validator(mode="before")
    @classmethod
    def _without_hash(cls, values: Any) -> Any:
        """Drop the hash that results up to schema `jomed.result/2` hold."""
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if name != "sha256"}
        return values


class Versions(Frozen):
    """What produced a result; equal versions and input give an equal result on one machine.

    A result of schema `jomed.result/1` tells neither models nor how they ran: those are None. One
    of `jomed.result/2` knows no question about the picture, nobody's wish to go on, and no region.
    One of `jomed.result/3` tells similarity by the search that found a case alone.
    """

    app: str
    bundle: str
    index: str
    reader: str | None = Field(
        default=None, description="kind, short hash of its weights; a large one's model and commit"
    )
    retriever: str | None = Field(default=None, description="the same, by its short fingerprint")
    number_type: str | None = Field(default=None, description="of matrix products: bf16 or fp32")
    precision: str | None = Field(default=None, description="how the reader's weights were held")
    threads: int | None = Field(default=None, ge=1, description="that share a matrix product")
    schema_: Literal["jomed.result/1", "jomed.result/2", "jomed.result/3", "jomed.result/4"] = (
        Field(default="jomed.result/4", alias="schema")
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
        ge=0, le=100, description="share of corpus pairs less similar, in the search that found it"
    )
    image_percentile: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="share of random pairs of cases that are less alike, image to image, whichever "
        "search found it; None in results before /4, or where no pairs could be measured",
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
    """The final diagnosis: what the image alone, the nearest labels and the readings sum to."""

    prediction: str | None
    probabilities: dict[str, float] = Field(description="calibrated; sums to 1")
    interval: tuple[float, float] | None = Field(
        default=None,
        description="how often cases of such a probability were right: 95 % Wilson interval of its "
        "reliability bin, widened to hold it; not an interval of this case",
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
    asks: tuple[str, ...] = Field(
        default=(), description="failed checks that the reader may go past; empty: none asks"
    )

    @property
    def reading_weight(self) -> float:
        """What the readings beside similar cases weigh in the sum, in [0, 1]."""
        return 1.0 - self.neighbor_weight - self.image_head_weight


class ConsistencyState(StrEnum):
    """How far the candidates' predictions agree (JOMED: inconsistent retrieval predictions)."""

    CONSISTENT = "consistent"
    MIXED = "mixed"
    DISAGREE = "disagree"
    ABSTAIN = "abstain"


class Standing(StrEnum):
    """How readings stand to each other, to the final answer and to what is known of the cases.

    Ours. The first three are the `ConsistencyState` of readings that include the final answer and
    that the known diagnoses do not speak against.
    """

    CONSISTENT = "consistent"
    MIXED = "mixed"
    DISAGREE = "disagree"
    CONTRADICTED = "contradicted"  # most known diagnoses are another than the final answer
    OVERRULED = "overruled"  # no reading is the final answer
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
    """A box in pixels of the file's picture (XYXY, half-open) with its score in [0, 1]."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float = Field(ge=0, le=1)
    label: str


class HeatMap(Frozen):
    """Where the model looked: values row by row, 0 to 1 of the maximum, over the region read."""

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
    """Everything one case produced, schema `jomed.result/4`."""

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
    has_similar: bool | None = Field(
        default=None,
        description="whether the nearest case is as near as all but one in twenty of the "
        "collection's own cases are to theirs; None where that was not measured",
    )
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
class Picture:
    """All of a frame, from which any region can be cut again; see `imaging.content.region`.

    Attributes:
        rendering: (rows, columns, 3) uint8 RGB of the file's size, divided by `step`, rounded up.
        values: (rows, columns) after the modality LUT, as `ImageRecord.modality_values`.
        found: the region that the file names, else the one that was detected, else the whole.
        text: (x0, y0, x1, y1) of the lines of text burned into it, px; never what they say.
        spacing_mm: (row, column) spacing that the file gives for the whole picture, or None.
        step: px of the file along a side of a px here; above 1 where the file's picture is larger
            than what is held, see `imaging.content.held`. Regions and text stay in px of the file.
    """

    rendering: NDArray[np.uint8]
    values: GrayValues | None
    found: Region
    text: tuple[tuple[int, int, int, int], ...] = ()
    spacing_mm: tuple[float, float] | None = None
    step: int = 1


@dataclass(frozen=True, slots=True)
class Content:
    """What a picture shows, measured from its pixels alone; see `imaging.content`.

    Attributes:
        colored_share: of the pixels above black, in [0, 1].
        smooth_share: of the pixels between black and white, without grain, in [0, 1].
        num_levels: gray levels that make up nine tenths of the pixels above black.
        uprightness: below 0 where an ultrasound picture looks inverted; None where it is too small.
    """

    colored_share: float = 0.0
    smooth_share: float = 0.0
    num_levels: int = 256
    uprightness: float | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One decoded frame in memory; the file itself is never kept.

    Attributes:
        model_input: (rows, columns, 3) uint8 RGB, the fixed rendering that the model sees, of the
            region that is read; read-only, and the channels of a gray image share their memory. Of
            a picture held reduced it has fewer px than the region, see `size_px`.
        modality_values: (rows, columns) of the same region after the modality LUT, or None for
            colour; of the types of `GrayValues`.
        inverted: whether higher modality values are darker (MONOCHROME1 or INVERSE, once).
        windows: display windows the file offers, first is the default; never empty for grey images.
        sha256: hash of the file's bytes, hex; in memory only, to leave the case itself out of its
            own similar cases.
        info: format, size and checks.
        metadata: allow-listed, printable facts only.
        num_frames: frames in the file (>= 1); frame: the one decoded, from 0.
        pixel_spacing_mm: (row, column) spacing or None.
        decode_ms: wall-clock of decoding.
        picture: the whole picture; None for a case of a corpus, which is read as it lies there.
        content: what the picture shows, to be compared with what a task reads.
    """

    model_input: NDArray[np.uint8]
    modality_values: GrayValues | None
    inverted: bool
    windows: tuple[Window, ...]
    sha256: str
    info: InputInfo
    metadata: dict[str, str] = field(default_factory=dict)
    num_frames: int = 1
    frame: int = 0
    pixel_spacing_mm: tuple[float, float] | None = None
    decode_ms: float = 0.0
    picture: Picture | None = None
    content: Content = Content()

    @property
    def size_px(self) -> tuple[int, int]:
        """(rows, columns) of what is read, px of the file; `model_input` may be smaller."""
        region = self.info.region
        if region is None:
            rows, columns = self.model_input.shape[:2]
            return rows, columns
        return region.y1 - region.y0, region.x1 - region.x0


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
