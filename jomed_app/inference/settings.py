"""What an engine is set to, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jomed_app.data.tasks import Task


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Values a bundle was calibrated with.

    Attributes:
        k_per_head: hits per search.
        weight_temperature: divides the head-normalized retriever scores.
        text_offset: nats added to the log-weight of candidates that only the text search found.
        guidance: strength of `aggregate.guided_log_prob`; 0 is the plain reader.
        num_neighbors: nearest cases that vote; vote_temperature: divides their scores.
        vote_share: weight of the vote in the final mixture, in [0, 1].
        max_spread: probability spread above which agreeing candidates count as mixed.
        domain_probability: least probability that an image is of the domain.
        box_threshold: box score from which a box is shown at first.
    """

    k_per_head: int = 2
    weight_temperature: float = 1.0
    text_offset: float = 0.0
    guidance: float = 0.0
    num_neighbors: int = 32
    vote_temperature: float = 0.1
    vote_share: float = 0.0
    max_spread: float = 0.3
    domain_probability: float = 0.5
    box_threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a screen says about the engine.

    Attributes:
        bundle, index: name, version and short hash.
        index_size: candidates.
        task: question, labels, descriptors.
        box_threshold: where the box slider starts.
        error_rates: consistency state -> share of wrong answers on out-of-fold cases.
    """

    bundle: str
    index: str
    index_size: int
    task: Task
    box_threshold: float
    error_rates: Mapping[str, float] = field(default_factory=dict)
