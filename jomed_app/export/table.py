"""A result as rows: one for the case, one for each similar case; alike in CSV and Parquet.

No row holds a time, so that the same findings give the same bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

from jomed_app.export.saved import SavedResult
from jomed_app.export.words import moved_words, standing
from jomed_app.types import CandidateResult, Result

Cell = str | float | int | bool | None
Row = dict[str, Cell]
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what starts so

CASE_COLUMNS: dict[str, type] = {
    "answer": str, "probability": float, "interval_low": float, "interval_high": float,
    "standing": str, "no_answer_because": str, "image_alone": str, "image_alone_weight": float,
    "known_weight": float, "reading_weight": float, "num_candidates": int, "known_agree": int,
    "read_agree": int, "nearest": str, "nearest_known": str, "has_similar": bool,
    "num_boxes": int, "box_x0": float, "box_y0": float, "box_x1": float, "box_y1": float,
    "box_score": float, "box_label": str, "report": str, "question": str, "search": str,
    "format": str, "modality": str, "rows": int, "columns": int, "region": str,
    "failed_checks": str, "overruled": str, "inverted_as_asked": bool, "moved": str,
    "app": str, "bundle": str, "index": str, "reader": str, "retriever": str,
    "number_type": str, "precision": str, "schema": str, "pixels_sha256": str,
}  # fmt: skip
"""Columns of a case, besides p_LABEL (float) and finding_DESCRIPTOR (str)."""
CANDIDATE_COLUMNS: dict[str, type] = {
    "rank": int, "candidate": str, "found_by": str, "known": str, "read": str,
    "read_probability": float, "weight": float, "closer_than_percent": float,
    "other_rank": int, "passage": str,
}  # fmt: skip


def case_row(saved: SavedResult) -> Row:
    """Return what is known of a case; None where it does not apply."""
    result, query = saved.result, saved.query
    final, info, versions = result.final, result.input, result.versions
    low, high = final.interval or (None, None)
    answer = None if final.abstained else final.prediction
    alone = max(final.image_head, key=lambda name: final.image_head[name], default=None)
    nearest = result.candidates[0] if result.candidates else None
    region = info.region
    row: Row = {
        "answer": answer,
        "probability": None if answer is None else final.probabilities.get(answer),
        "interval_low": low,
        "interval_high": high,
        "standing": standing(result).value,
        "no_answer_because": final.reason if answer is None else None,
        "image_alone": alone,
        "image_alone_weight": final.image_head_weight,
        "known_weight": final.neighbor_weight,
        "reading_weight": final.reading_weight,
        "num_candidates": len(result.candidates),
        "known_agree": sum(each.label == answer for each in result.candidates),
        "read_agree": sum(each.prediction == answer for each in result.candidates),
        "nearest": nearest.candidate_id if nearest else None,
        "nearest_known": nearest.label if nearest else None,
        "has_similar": result.has_similar,
        **_box_cells(result),
        "report": result.report or None,
        "question": result.question,
        "search": result.retrieval,
        "format": info.format,
        "modality": info.modality,
        "rows": info.rows,
        "columns": info.columns,
        "region": ",".join(map(str, region.corners)) if region else None,
        "failed_checks": " ".join(each.name for each in info.checks if not each.passed) or None,
        "overruled": " ".join(info.overruled) or None,
        "inverted_as_asked": info.inverted_as_asked,
        "moved": moved_words(result) or None,
        "app": versions.app,
        "bundle": versions.bundle,
        "index": versions.index,
        "reader": versions.reader,
        "retriever": versions.retriever,
        "number_type": versions.number_type,
        "precision": versions.precision,
        "schema": versions.schema_,
        "pixels_sha256": query.pixels_sha256,
    }
    row |= {f"p_{label}": share for label, share in final.probabilities.items()}
    row |= {
        f"finding_{name}": max(shares, key=lambda value: shares[value])
        for name, shares in result.findings.items()
        if shares
    }
    return row


def candidate_row(candidate: CandidateResult) -> Row:
    """Return what is known of one similar case."""
    return {
        "rank": candidate.rank,
        "candidate": candidate.candidate_id,
        "found_by": " ".join(candidate.heads),
        "known": candidate.label,
        "read": candidate.prediction,
        "read_probability": candidate.probabilities.get(candidate.prediction or ""),
        "weight": candidate.weight,
        "closer_than_percent": candidate.image_percentile,
        "other_rank": candidate.other_rank,
        "passage": candidate.passage,
    }


def case_csv(saved: SavedResult) -> bytes:
    """Return a CSV file of one result: a row of kind "case", then one of "candidate" for each."""
    rows: list[Row] = [{"kind": "case", **case_row(saved)}]
    rows += [{"kind": "candidate", **candidate_row(each)} for each in saved.result.candidates]
    return csv_bytes(rows, columns_of(rows, ("kind",), (*CANDIDATE_COLUMNS,)))


def columns_of(
    rows: Sequence[Mapping[str, Cell]], first: Sequence[str], last: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return all columns of rows: `first`, answers, all of a case, findings, `last`."""
    found = {name for row in rows for name in row}
    shares = sorted(name for name in found if name.startswith("p_"))
    findings = sorted(name for name in found if name.startswith("finding_"))
    return tuple(dict.fromkeys((*first, *CASE_COLUMNS, *shares, *findings, *last)))


def csv_bytes(rows: Iterable[Mapping[str, Cell]], columns: Sequence[str]) -> bytes:
    """Return rows as CSV, RFC 4180 in UTF-8; None is empty, and no cell is a formula."""
    stream = StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return stream.getvalue().encode()


def _box_cells(result: Result) -> Row:
    """Number of boxes, and the one with the highest score in px of the file."""
    best = max(result.boxes, key=lambda each: each.score, default=None)
    row: Row = {"num_boxes": len(result.boxes)}
    if best is None:
        return row
    corners = {f"box_{name}": getattr(best, name) for name in ("x0", "y0", "x1", "y1")}
    return {**row, **corners, "box_score": best.score, "box_label": best.label}


def _cell(value: Cell) -> str:
    """Return a value as CSV shows it; words that a spreadsheet would run are quoted by '."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return repr(value)
