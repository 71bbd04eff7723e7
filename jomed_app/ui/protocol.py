"""What the page asks of an engine; `inference.engine.Engine` satisfies it, and a fake in tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks.assessment import Assessment
from jomed_app.data.tasks.report_words import ReportWords
from jomed_app.inference.calibration.cutoffs import Cutoff
from jomed_app.types import Event, ImageRecord, OperatingPoint, Result, Retrieval


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

    @property
    def positive_label(self) -> str:
        """Class of the two-class question; empty where there is none."""

    @property
    def finding(self) -> str:
        """What a box encloses."""

    @property
    def descriptors(self) -> Mapping[str, tuple[str, ...]]:
        """Descriptor -> values; empty where the task has none."""

    @property
    def assessment(self) -> Assessment:
        """The scale on which a reader says how suspicious an image is."""

    @property
    def report(self) -> ReportWords | None:
        """How findings are worded in a report; None where they are not."""


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
    def sent_to(self) -> str:
        """Machine that images are sent to, to be read; empty where they stay on this one."""

    @property
    def reader(self) -> str | None:
        """The reader, with its commit where a bundle pins one; None where nobody says."""

    @property
    def precision(self) -> str | None:
        """How its weights are held; None where a server holds them."""

    @property
    def hashes(self) -> Mapping[str, str]:
        """Hashes of "bundle" and "index", hex, for a case that is saved."""

    @property
    def error_rates(self) -> Mapping[str, float]:
        """`Standing` -> share of wrong answers on validation data that stands so, in [0, 1]."""

    @property
    def measured_on(self) -> str:
        """That data and the known cases beside it, in words; empty if never measured."""

    @property
    def box_operating_points(self) -> Sequence[OperatingPoint]:
        """What box thresholds mean on validation data, ascending; empty if never measured."""

    @property
    def cutoffs(self) -> Sequence[Cutoff]:
        """Operating points of the positive label, ascending; empty if never measured."""

    @property
    def site_point(self) -> int:
        """That of the site, positive cases of 100 that it is to find; 0 for none."""

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
        anyway: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Event]:
        """Yield typed events; the last is `Completed`."""

    def recompute(
        self,
        result: Result,
        removed: Collection[str] = (),
        *,
        factors: Mapping[str, float] | None = None,
        image_share: float | None = None,
    ) -> Result:
        """Return the result with other weights, and what was moved in it; arithmetic only."""

    def candidate(self, candidate_id: str, /) -> CaseRecord:
        """Return the record of an indexed case."""

    def candidate_image(self, candidate_id: str, /) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 RGB of an indexed case."""
