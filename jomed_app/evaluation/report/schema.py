"""The schema of `report.json`: what every system scored on the same cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jomed_app.errors import RecordError, first_fault
from jomed_app.evaluation.metrics import probabilities as metrics
from jomed_app.evaluation.metrics.coverage import CoverageCurve, risk_coverage_area
from jomed_app.evaluation.report.figures import Figure
from jomed_app.inference.calibration.reliability import (
    ErrorRate,
    ReliabilityTable,
    expected_calibration_error,
)
from jomed_app.storage.durable import write_file
from jomed_app.types import Frozen

Range = tuple[float, float]
MetricName = Literal["accuracy", "auroc"]
Subset = Literal["all", "clean", "inconsistent"]
ReportType = TypeVar("ReportType", bound=BaseModel)


class SelectiveRisk(Frozen):
    """Area under the risk-coverage curve by confidence alone, and where agreement goes first.

    Cases whose candidates agree are answered first, then mixed ones, then those that disagree, then
    those without a diagnosis; within each by confidence. Lower is better.
    """

    by_confidence: float
    by_agreement: float
    difference: float = Field(description="by agreement minus by confidence, paired")
    ci: Range | None = Field(description="of the difference")


class SystemReport(Frozen):
    """Figures of one system; None where the cases or the system do not define one."""

    accuracy: float
    accuracy_ci: Range = Field(description="95 % percentile bootstrap over groups, as all _ci")
    accuracy_clean: float | None = Field(description="without near duplicates of the corpus")
    accuracy_twins: float | None = Field(
        default=None, description="on the near duplicates alone; None before schema 3"
    )
    balanced_accuracy: Annotated[float, Figure("balanced", "results", metrics.balanced_accuracy)]
    macro_f1: Annotated[float, Figure("macro F1", "results", metrics.macro_f1)]
    recall: dict[str, float] = Field(
        default_factory=dict,
        description="share of each occurring label's cases that is answered right; empty in older",
    )
    auroc: Annotated[float | None, Figure("AUROC {positive}", "results")] = Field(
        description="positive label against the rest"
    )
    auroc_ci: Range | None
    auroc_macro: Annotated[float | None, Figure("macro AUROC", "results", metrics.macro_auroc)] = (
        Field(description="mean one-versus-rest")
    )
    binary_accuracy: Annotated[
        float, Figure("binary accuracy", "results", metrics.binary_accuracy, of_positive=True)
    ] = Field(description="positive against the rest at p = 0.5")
    sensitivity: Annotated[
        float | None, Figure("sensitivity", "results", metrics.sensitivity, of_positive=True)
    ]
    specificity: Annotated[
        float | None, Figure("specificity", "results", metrics.specificity, of_positive=True)
    ]
    specificity_at_90: Annotated[
        float | None,
        Figure(
            "specificity at sensitivity 0.90",
            "operating",
            metrics.specificity_at_sensitivity,
            of_positive=True,
            more=(0.90,),
        ),
    ] = Field(default=None, description="the threshold is set on the same cases, as the next two")
    specificity_at_95: Annotated[
        float | None,
        Figure(
            "at 0.95",
            "operating",
            metrics.specificity_at_sensitivity,
            of_positive=True,
            more=(0.95,),
        ),
    ] = None
    specificity_at_98: Annotated[
        float | None,
        Figure(
            "at 0.98",
            "operating",
            metrics.specificity_at_sensitivity,
            of_positive=True,
            more=(0.98,),
        ),
    ] = None
    nll: Annotated[float, Figure("NLL, nats", "probabilities", metrics.negative_log_likelihood)] = (
        Field(description="nats per case")
    )
    brier: Annotated[float, Figure("Brier", "probabilities", metrics.brier_score)] = Field(
        description="summed over classes, [0, 2]"
    )
    ece: Annotated[float, Figure("ECE", "probabilities", expected_calibration_error)] = Field(
        description="top label, 15 bins"
    )
    inconsistent_rate: Annotated[float | None, Figure("inconsistent", "consistency")] = Field(
        description="of this system's own candidates"
    )
    inconsistent_accuracy: float | None = Field(
        description="on the cases where the reference system's candidates disagree"
    )
    oracle_accuracy: Annotated[float | None, Figure("oracle", "consistency")]
    chance_oracle: Annotated[float | None, Figure("oracle of guesses", "consistency")] = Field(
        description="oracle accuracy of uniform guesses"
    )
    label_agreement_at_k: Annotated[float | None, Figure("same label at k", "consistency")]
    answer_variance: Annotated[float | None, Figure("answer variance", "consistency")] = Field(
        description="of log p(true label) over candidates, nats squared"
    )
    effective_candidates: Annotated[
        float | None, Figure("effective candidates", "consistency", digits=2)
    ] = Field(description="exp of the weights' entropy, mean")
    mean_iou: Annotated[float | None, Figure("mean IoU", "localization")]
    iou30: Annotated[float | None, Figure("IoU ≥ 0.3", "localization")]
    iou50: Annotated[float | None, Figure("IoU ≥ 0.5", "localization")]
    false_boxes_per_normal: Annotated[
        float | None, Figure("false boxes per normal", "localization")
    ]
    froc: Annotated[float | None, Figure("FROC", "localization")] = Field(
        default=None, description="mean sensitivity at 1/8 to 4 false boxes per image"
    )
    pointing: Annotated[float | None, Figure("pointing", "localization")] = Field(
        default=None, description="share of lesion cases whose heat map peaks in a true box"
    )
    parse_rate: Annotated[float | None, Figure("parse rate", "localization")]
    seconds_per_case: float | None
    error_rates: dict[str, ErrorRate] = Field(description="wrong answers within each state")
    reliability: ReliabilityTable
    aurc: Annotated[float | None, Figure("AURC", "probabilities", risk_coverage_area)] = Field(
        default=None, description="area under the risk-coverage curve; None in schema 1"
    )
    coverage: CoverageCurve | None = Field(default=None, description="None in schema 1")
    pass_at: dict[int, float] = Field(
        default_factory=dict,
        description="K -> share of cases right beside one of the K heaviest; empty before schema 3",
    )
    selective: SelectiveRisk | None = Field(default=None, description="None before schema 3")


class Difference(Frozen):
    """One system minus another on the same cases, paired bootstrap over groups."""

    first: str
    second: str
    metric: MetricName
    subset: Subset
    n: int
    difference: float | None
    ci: Range | None
    first_only: int | None = Field(default=None, description="cases only the first gets right")
    second_only: int | None = None
    mcnemar_p: float | None = Field(default=None, description="exact, two-sided")


class RetrievalEffect(Frozen):
    """What retrieval changes: one system with known cases, one without, on the same cases."""

    system: str
    without: str
    n: int
    helped: int = Field(description="cases wrong without and right with known cases")
    harmed: int = Field(description="cases right without and wrong with known cases")
    help_rate: float
    help_ci: Range
    harm_rate: float
    harm_ci: Range


class GrownFigures(Frozen):
    """Figures of one system beside an index of one size."""

    accuracy: float
    accuracy_ci: Range
    balanced_accuracy: float
    auroc_macro: float | None


class CurvePoint(Frozen):
    """All systems beside an index of so many cases; nothing is trained between two points."""

    cases: int
    systems: dict[str, GrownFigures]


class EvaluationReport(Frozen):
    """The whole report, schema `jomed.report/3`.

    2 added `aurc` and `coverage` to systems; 3 operating points, `pass_at`, `selective`, `effects`
    and the state `abstain` among error rates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["jomed.report/1", "jomed.report/2", "jomed.report/3"] = Field(
        default="jomed.report/3", alias="schema"
    )
    task: str
    split: str
    labels: tuple[str, ...]
    positive_label: str
    n: int
    n_clean: int = Field(description="cases without a near duplicate in the corpus")
    n_groups: int
    n_inconsistent: int | None = Field(description="cases of the fixed inconsistent subset")
    reference_system: str | None = Field(description="the system that fixes that subset")
    seed: int
    num_resamples: int
    bundle: str
    index: str
    systems: dict[str, SystemReport]
    is_masked: bool = Field(default=False, description="text and marks in the images painted over")
    curve: tuple[CurvePoint, ...] = Field(
        default=(), description="a growing index, smallest first, the whole one last"
    )
    effects: tuple[RetrievalEffect, ...] = ()
    differences: tuple[Difference, ...] = ()


def write_report(report: BaseModel, path: Path) -> None:
    """Write a report as JSON, indented, keys in schema order."""
    write_file(path, report.model_dump_json(indent=2, by_alias=True) + "\n")


def read_report_as(kind: type[ReportType], path: Path) -> ReportType:
    """Read a report of the kind that is wanted, its schema's name in its field `schema_`.

    Raises:
        RecordError: if the file is missing or does not follow the schema.
    """
    if not path.is_file():
        raise RecordError(f"a report must be a file, found none at '{path.name}'; run evaluate")
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        schema = kind.model_fields["schema_"].default
        raise RecordError(
            f"'{path.name}' must follow schema {schema}: {first_fault(error, 'file')}; "
            "run evaluate again"
        ) from error


def read_report(path: Path) -> EvaluationReport:
    """Read `report.json`, of this schema or of those before.

    Raises:
        RecordError: as `read_report_as`.
    """
    return read_report_as(EvaluationReport, path)
