"""Findings, report sentence and boxes in words, beside the image that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.types import BoxResult
from jomed_app.ui.reading import Reading
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a descriptor and its probability in [0, 1]."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One descriptor: its likeliest value, and the next one if there is a second."""

    descriptor: str
    likeliest: Value
    next: Value | None


@dataclass(frozen=True, slots=True)
class Findings(Panel):
    """What is said of the image; each part is None until it is known.

    Attributes:
        findings: none where no descriptor applies.
        report: one sentence; empty where there is none.
        boxes: in pixels of the query; none where none was returned.
    """

    findings: tuple[Finding, ...] | None
    report: str
    boxes: tuple[BoxResult, ...] | None

    @classmethod
    def of(cls, reading: Reading) -> Findings:
        """Return what is known of a case so far."""
        known = reading.findings
        return cls(
            findings=None if known is None else _findings(known),
            report="" if known is None else reading.report,
            boxes=reading.boxes,
        )


def _findings(known: Mapping[str, Mapping[str, float]]) -> tuple[Finding, ...]:
    """Return each descriptor with its likeliest value and the one behind it."""
    shown = []
    for descriptor, values in known.items():
        ordered = [Value(*item) for item in sorted(values.items(), key=lambda item: -item[1])]
        if ordered:
            shown.append(Finding(descriptor, ordered[0], ordered[1] if ordered[1:] else None))
    return tuple(shown)
