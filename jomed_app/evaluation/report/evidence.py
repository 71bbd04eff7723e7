"""What a page may say of measured figures: lines made from kept reports, small enough to ship.

`python -m benchmarks.write_results` writes the file with the pages in docs/results; a test compares
both with the reports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from jomed_app.evaluation.report.schema import Range, read_report_as, write_report
from jomed_app.types import Frozen

EVIDENCE_FILE = "evidence.json"  # in assets/


class Line(Frozen):
    """A figure beside a baseline of the same run, in words; see `benchmarks.claims.rows.Row`."""

    what: str
    figure: str
    interval: str
    count: str
    baseline: str
    reference: str
    difference: str
    says: str
    measured_with: str
    command: str = Field(description="measures it again")


class Claim(Frozen):
    """A table of lines."""

    title: str
    text: str
    lines: tuple[Line, ...]


class ClassFigure(Frozen):
    """How many cases of one label are answered rightly."""

    system: str
    beside: str = Field(description="which known cases, in words")
    label: str
    right: int
    cases: int
    interval: Range = Field(description="Wilson, 95 %")


class Effect(Frozen):
    """What known cases change: cases that one system gets right and the other does not."""

    system: str
    without: str
    beside: str
    cases: int
    helped: int
    helped_interval: Range
    harmed: int
    harmed_interval: Range


class Evidence(Frozen):
    """All of it, schema `jomed.evidence/1`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["jomed.evidence/1"] = Field(default="jomed.evidence/1", alias="schema")
    notes: tuple[str, ...] = Field(description="what lines were measured with, where it matters")
    command: str = Field(description="measures classes and effects again")
    measured_with: str = Field(description="of classes and effects")
    classes: tuple[ClassFigure, ...]
    effects: tuple[Effect, ...]
    claims: tuple[Claim, ...]


def read_evidence(assets: Path) -> Evidence | None:
    """Read what an installation ships; None where it ships nothing.

    Raises:
        RecordError: if the file does not follow the schema.
    """
    path = assets / EVIDENCE_FILE
    return read_report_as(Evidence, path) if path.is_file() else None


def write_evidence(evidence: Evidence, assets: Path) -> Path:
    """Write the file into a folder, made if missing; return its path."""
    assets.mkdir(parents=True, exist_ok=True)
    write_report(evidence, assets / EVIDENCE_FILE)
    return assets / EVIDENCE_FILE
