"""What an engine says of itself on the screen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from jomed_app import __version__
from jomed_app.data.tasks import Task
from jomed_app.errors import ConfigError
from jomed_app.inference.calibration.cutoffs import TARGETS, Cutoff
from jomed_app.inference.calibration.profile import Profile
from jomed_app.types import OperatingPoint, Retrieval, Versions

LEAST_CASES = 30  # ours: a rate of fewer cases would be read as more than it is


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a screen says about the engine.

    Attributes:
        bundle, index: name, version and short hash.
        index_size: candidates.
        task: question, labels, descriptors.
        box_threshold: where the box slider starts.
        error_rates: `Standing` -> share of wrong answers on out-of-fold cases that stand so; none
            for one that fewer than `LEAST_CASES` of them did.
        measured_on: those cases and the corpus they were read with, in words.
        standard: what is said of the search by similarity alone; None where the query heads are
            untrained, and there is no other search.
        box_operating_points: what box thresholds mean on validation cases, ascending.
        cutoffs: operating points of the positive label, ascending; none where not measured.
        site_point: the one that the operator chose, positive cases of 100 that it is to find; 0 for
            none.
        opens_with: the search that is made when none is asked for: the trained one, but not
            beside simulated cases, since the heads were taught beside real ones.
        sent_to: machine that images are sent to, to be read; empty where they stay on this one.
        reader, retriever, number_type, precision, threads: what runs, and how; see `Versions`.
        hashes: of "bundle" and "index", all of each; `versions` shows their beginning.
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
    cutoffs: tuple[Cutoff, ...] = ()
    site_point: int = 0
    opens_with: Retrieval = "joint"
    sent_to: str = ""
    reader: str | None = None
    retriever: str | None = None
    number_type: str | None = None
    precision: str | None = None
    threads: int | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)

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
        rates = {
            name: measured.rate
            for name, measured in profile.calibration.standing_errors.items()
            if measured.num_cases >= LEAST_CASES
        }
        return dataclasses.replace(
            self,
            box_threshold=profile.settings.box_threshold,
            error_rates=rates,
            measured_on=profile.measured_on,
            box_operating_points=profile.calibration.boxes.operating_points,
            cutoffs=profile.calibration.cutoffs,
        )

    def at_site(self, target: int) -> EngineInfo:
        """Say the same at the operating point of a site.

        Args:
            target: positive cases of 100 that it is to find, one of `TARGETS`; 0 for no point.

        Raises:
            ConfigError: if no such point is ever measured.
        """
        if target and target not in TARGETS:
            raise ConfigError(
                f"[app] operating_point must be one of {', '.join(map(str, TARGETS))}, or 0 for "
                f"none, found {target}; choose one of those"
            )
        return dataclasses.replace(self, site_point=target)
