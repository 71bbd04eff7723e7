"""What an engine is set to, and what it says of itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from jomed_app import __version__
from jomed_app.data.tasks import Task
from jomed_app.errors import BundleError
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.types import OperatingPoint, Retrieval, Versions


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How candidates are found, weighed and concluded; the defaults trust the reader alone.

    Attributes:
        weight_temperature: divides the head-normalized retriever scores.
        text_offset: nats added to the log-weight of candidates that only the text search found.
        guidance: strength of `aggregate.guided_log_prob`; 0 is the plain reader.
        max_spread: probability spread above which agreeing candidates count as mixed.
        num_neighbors: nearest cases that vote; vote_temperature: divides their scores.
        vote_share: weight of the vote in the final mixture, in [0, 1].
        image_share: weight of the image alone in it, in [0, 1].
        box_threshold: box score from which a box is shown at first.
        k_per_head: hits per search.
        domain_probability: least probability that an image is of the domain.
    """

    weight_temperature: float = 1.0
    text_offset: float = 0.0
    guidance: float = 0.0
    max_spread: float = 0.3
    num_neighbors: int = 32
    vote_temperature: float = 0.1
    vote_share: float = 0.0
    image_share: float = 0.0
    box_threshold: float = 0.5
    k_per_head: int = 2
    domain_probability: float = 0.5

    def to_dict(self) -> dict[str, float]:
        """Plain values for a manifest."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> EngineSettings:
        """Read what `to_dict` wrote; what is left out keeps its default.

        Raises:
            BundleError: if there is a name that this version does not know.
        """
        known = {name: type(value) for name, value in dataclasses.asdict(cls()).items()}
        if unknown := sorted(set(values) - set(known)):
            raise BundleError(
                f"the bundle's thresholds must be among {sorted(known)}, found {unknown}; "
                "load it with the app version that wrote it"
            )
        return cls(**{name: known[name](value) for name, value in values.items()})


@dataclass(frozen=True, slots=True)
class Profile:
    """What was fitted and measured with one kind of corpus as known cases.

    Attributes:
        settings, calibration: fitted on cases that nothing was trained on.
        measured_on: those cases and that corpus, in words; empty if never measured.
    """

    settings: EngineSettings = EngineSettings()
    calibration: Calibration = field(default_factory=Calibration)
    measured_on: str = ""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a screen says about the engine.

    Attributes:
        bundle, index: name, version and short hash.
        index_size: candidates.
        task: question, labels, descriptors.
        box_threshold: where the box slider starts.
        error_rates: consistency state -> share of wrong answers on out-of-fold cases.
        measured_on: those cases and the corpus they were read with, in words.
        standard: what is said of the search by similarity alone; None where the query heads are
            untrained, and there is no other search.
        box_operating_points: what box thresholds mean on validation cases, ascending.
        opens_with: the search that is made when none is asked for: the trained one, but not
            beside simulated cases, since the heads were taught beside real ones.
        reader, retriever, number_type, precision, threads: what runs, and how; see `Versions`.
    """

    bundle: str
    index: str
    index_size: int
    task: Task
    box_threshold: float
    error_rates: Mapping[str, float] = field(default_factory=dict)
    measured_on: str = ""
    standard: EngineInfo | None = None
    box_operating_points: tuple[OperatingPoint, ...] = ()
    opens_with: Retrieval = "joint"
    reader: str | None = None
    retriever: str | None = None
    number_type: str | None = None
    precision: str | None = None
    threads: int | None = None

    @property
    def versions(self) -> Versions:
        """What every result says of the engine."""
        return Versions(
            app=__version__,
            bundle=self.bundle,
            index=self.index,
            reader=self.reader,
            retriever=self.retriever,
            number_type=self.number_type,
            precision=self.precision,
            threads=self.threads,
        )

    def with_profile(self, profile: Profile) -> EngineInfo:
        """Say the same of another profile."""
        rates = {name: rate.rate for name, rate in profile.calibration.error_rates.items()}
        return dataclasses.replace(
            self,
            box_threshold=profile.settings.box_threshold,
            error_rates=rates,
            measured_on=profile.measured_on,
            box_operating_points=profile.calibration.boxes.operating_points,
        )
