"""Evidence: what was measured, with how many cases and how sure, unflattering lines among it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jomed_app.evaluation.report.evidence import Evidence
from jomed_app.inference.calibration.reliability import ErrorRate, wilson_interval
from jomed_app.inference.info import LEAST_CASES
from jomed_app.types import OperatingPoint, Standing
from jomed_app.ui import text
from jomed_app.ui.panels.pages.frame import Page

DRAWN = frozenset({"normal", "benign", "malignant"})  # what the simulator draws
SYSTEMS = {
    "joint": "the whole answer, trained search",
    "rag": "the whole answer, search by similarity",
    "reader": "the reader beside similar cases, alone",
    "no_retrieval": "the reader without any case",
    "image_alone": "the image classifier, no case",
}
# What a consistency state is called where no standing was measured.
STATES = {
    "consistent": text.STANDING_TITLES[Standing.CONSISTENT],
    "mixed": text.STANDING_TITLES[Standing.MIXED],
    "disagree": text.STANDING_TITLES[Standing.DISAGREE],
}


class Bin(NamedTuple):
    """Answers whose stated probability was alike.

    Attributes:
        stated: their mean probability.
        right, cases: how many were right, of how many.
        low, high: interval of that share, 95 %.
    """

    stated: float
    right: int
    cases: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EvidencePage(Page):
    """The page."""

    @property
    def measured_on(self) -> str:
        """Cases and collection behind this bundle's own figures, in words; empty without any."""
        return self.shelf.profile.measured_on

    @property
    def states(self) -> list[tuple[str, ErrorRate]]:
        """How often the answer was wrong, by standing in words; by reading in older bundles."""
        calibration = self.shelf.profile.calibration
        if calibration.standing_errors:
            return [
                (text.STANDING_TITLES[each], calibration.standing_errors[each.value])
                for each in Standing
                if each.value in calibration.standing_errors
            ]
        return [
            (title, calibration.error_rates[name])
            for name, title in STATES.items()
            if name in calibration.error_rates
        ]

    @property
    def is_by_standing(self) -> bool:
        """Whether rates are of what the screen shows, and not of the readings alone."""
        return bool(self.shelf.profile.calibration.standing_errors)

    @property
    def least(self) -> int:
        """Cases below which no rate is printed."""
        return LEAST_CASES

    @property
    def bins(self) -> list[Bin]:
        """How often answers were right, by their stated probability."""
        table = self.shelf.profile.calibration.reliability
        if table is None:
            return []
        return [
            Bin(stated, right, cases, *wilson_interval(right, cases))
            for stated, right, cases in zip(
                table.mean_probability, table.num_correct, table.counts, strict=True
            )
        ]

    @property
    def boxes(self) -> tuple[OperatingPoint, ...]:
        """What box thresholds mean, every other one of those measured."""
        return self.shelf.profile.calibration.boxes.operating_points[1::2]

    @property
    def kept(self) -> Evidence | None:
        """Lines of the kept reports."""
        return self.shelf.evidence

    @property
    def systems(self) -> dict[str, str]:
        """Name of a system in reports -> what speaks in it."""
        return SYSTEMS

    @property
    def can_draw(self) -> bool:
        """Whether the simulator draws cases of the task that runs here."""
        return set(self.info.task.labels) == DRAWN
