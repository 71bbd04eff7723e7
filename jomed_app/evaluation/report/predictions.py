"""Per-case predictions beside a report, so that anyone can recompute its figures.

One row a case and system, in Parquet: `report.json` has `report.predictions.parquet` beside it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jomed_app.errors import RecordError
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.storage.durable import write_file

_CASES = pa.schema(
    [
        ("case_id", pa.string()),
        ("group", pa.string()),
        ("system", pa.string()),
        ("truth", pa.string()),
        ("prediction", pa.string()),
        ("probabilities", pa.list_(pa.float64())),
        ("state", pa.string()),
        ("is_clean", pa.bool_()),
        ("candidate_labels", pa.list_(pa.string())),
        ("weights", pa.list_(pa.float64())),
        ("boxes", pa.list_(pa.list_(pa.float64(), 4))),
    ]
)
_QUESTIONS = pa.schema(
    [
        ("group", pa.string()),
        ("question", pa.string()),
        ("reference", pa.string()),
        ("is_closed", pa.bool_()),
        ("system", pa.string()),
        ("answer", pa.string()),
        ("weighed", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float64())),
        ("has_twin", pa.bool_()),
    ]
)


def predictions_file(report: Path) -> Path:
    """The file beside a report: `report.json` -> `report.predictions.parquet`."""
    return report.with_suffix(".predictions.parquet")


def write_predictions(report: Path, cases: Sequence[CaseScores], labels: Sequence[str]) -> Path:
    """Write what every system said of every case.

    Args:
        report: the report that the cases were scored for.
        cases: as `build_report` takes them.
        labels: C names, the order of `probabilities`; kept in the file's metadata.

    Returns:
        The file.
    """
    rows = [
        {
            "case_id": case.case_id,
            "group": case.group,
            "system": name,
            "truth": labels[case.label],
            "prediction": labels[int(said.probabilities.argmax())],
            "probabilities": said.probabilities.tolist(),
            "state": None if said.state is None else str(said.state),
            "is_clean": case.is_clean,
            "candidate_labels": (
                None
                if said.candidate_labels is None
                else [labels[place] for place in said.candidate_labels]
            ),
            "weights": None if said.weights is None else said.weights.tolist(),
            "boxes": None if said.boxes is None else [box.as_tuple() for box in said.boxes],
        }
        for case in cases
        for name, said in case.systems.items()
    ]
    schema = _CASES.with_metadata({"labels": "\n".join(labels)})
    return _write(predictions_file(report), pa.Table.from_pylist(rows, schema=schema))


def write_answers(report: Path, asked: Sequence[AnsweredQuestion]) -> Path:
    """Write what every system answered to every question; see `write_predictions`."""
    rows = [
        {
            "group": one.group,
            "question": one.question,
            "reference": one.reference,
            "is_closed": one.is_closed,
            "system": name,
            "answer": answer,
            "weighed": list(one.probabilities.get(name, ())) or None,
            "probabilities": list(one.probabilities.get(name, {}).values()) or None,
            "has_twin": one.has_twin,
        }
        for one in asked
        for name, answer in one.answers.items()
    ]
    return _write(predictions_file(report), pa.Table.from_pylist(rows, schema=_QUESTIONS))


def read_predictions(report: Path) -> pa.Table:
    """Read the predictions beside a report.

    Raises:
        RecordError: if there are none.
    """
    path = predictions_file(report)
    if not path.is_file():
        raise RecordError(
            f"predictions must stand beside '{report.name}', found no '{path.name}'; run evaluate"
        )
    return pq.read_table(path)


def _write(path: Path, table: pa.Table) -> Path:
    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd")
    write_file(path, content.getvalue())
    return path
