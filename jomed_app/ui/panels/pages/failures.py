"""Failures of the model that runs here, on simulated cases that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from jomed_app.inference.calibration.reliability import wilson_interval
from jomed_app.simulator.case import SimulatedCase
from jomed_app.types import Result
from jomed_app.ui.images import png_data_url
from jomed_app.ui.templates import Panel

THUMBNAIL_PX = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """One case that was answered wrongly.

    Attributes:
        picture: data URL.
        drawn: as what; answer: of the app, None where it gave none; share: its probability.
        seed: of the simulator.
    """

    picture: str
    drawn: str
    answer: str
    share: float
    seed: int

    @classmethod
    def of(cls, case: SimulatedCase, result: Result) -> Failure | None:
        """Return what is shown of a case; None where the answer is right, or there is none."""
        answer = result.final.prediction
        if answer is None or result.final.abstained or answer == case.record.label:
            return None
        with Image.fromarray(case.image) as image:
            image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
            picture = png_data_url(np.asarray(image, dtype=np.uint8))
        return cls(
            picture=picture,
            drawn=case.record.label,
            answer=answer,
            share=result.final.probabilities.get(answer, 0.0),
            seed=int(case.record.provenance["seed"]),
        )


@dataclass(frozen=True, slots=True)
class Failures(Panel):
    """How far the reading is, and what was answered wrongly.

    Attributes:
        asked: whether somebody had the cases read.
        is_over: whether no more are read.
        read, total: cases.
        abstained: of those read, cases without an answer.
        wrong: in the order in which they were read.
        stopped: why the reading ended before its end; empty where it did not.
    """

    total: int
    asked: bool = False
    is_over: bool = False
    read: int = 0
    abstained: int = 0
    wrong: Sequence[Failure] = ()
    stopped: str = ""

    @property
    def answered(self) -> int:
        """Cases that were answered."""
        return self.read - self.abstained

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share of wrong answers, 95 %."""
        return wilson_interval(len(self.wrong), self.answered)
