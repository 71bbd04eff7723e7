"""The Result of a case, schema `jomed.result/4`.

The screen, the command line, the API and every export are made from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from jomed_app.types.moved import Moved
from jomed_app.types.query import InputInfo
from jomed_app.types.schema import Frozen

Head = Literal["image", "text"]
CorpusKind = Literal["real", "simulated"]
Retrieval = Literal["joint", "standard"]
"""How candidates are found: by the query heads that the reader taught, or by similarity alone."""


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
    provenance: dict[str, str] = Field(default={})
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
    counts: dict[str, int] = Field(default={})
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
    moved: Moved | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="what a reader moved in the sum; None: the answer is the app's own",
    )

    @property
    def searches_differ(self) -> bool:
        """Whether the other search shows other cases, or the same in another order."""
        return bool(self.dropped) or any(
            each.other_rank not in (None, each.rank) for each in self.candidates
        )
