from __future__ import annotations

import csv
import io

from jomed_app.export.table import CASE_COLUMNS, case_csv, case_row, columns_of, csv_bytes
from tests.export.finished_cases import finished
from tests.ui.fake_engine import ConsistencyState, FakeEngine
from tests.ui.fake_values import FINDINGS, LABELS


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_a_case_and_its_candidates_are_a_row_each():
    kept, _ = finished()
    rows = read(case_csv(kept))
    case, *candidates = rows
    final = kept.result.final
    assert [each["kind"] for each in rows] == ["case"] + ["candidate"] * 4
    assert (case["answer"], float(case["probability"])) == (
        final.prediction, final.probabilities[str(final.prediction)],
    )  # fmt: skip
    assert sum(float(case[f"p_{label}"]) for label in LABELS) == sum(final.probabilities.values())
    assert case["known_agree"] == case["read_agree"] == "3"
    assert case["finding_shape"] == max(FINDINGS["shape"], key=FINDINGS["shape"].get)
    assert [each["candidate"] for each in candidates] == ["case-0", "case-1", "case-2", "case-3"]
    assert [each["read"] for each in candidates].count("malignant") == 3
    assert candidates[0]["answer"] == ""
    assert case["pixels_sha256"] == kept.query.pixels_sha256


def test_every_column_of_a_case_is_typed():
    kept, _ = finished()
    row = case_row(kept)
    assert [name for name in CASE_COLUMNS if name not in row] == []
    for name, value in row.items():
        expected = CASE_COLUMNS.get(name, float if name.startswith("p_") else str)
        assert value is None or isinstance(value, expected), name


def test_without_an_answer_the_reason_is_told_and_nothing_agrees():
    kept, _ = finished(engine=FakeEngine(state=ConsistencyState.ABSTAIN))
    row = case_row(kept)
    assert row["answer"] is None
    assert row["no_answer_because"]
    assert row["standing"] == "abstain"
    assert row["known_agree"] == row["read_agree"] == 0


def test_a_spreadsheet_runs_nothing():
    rows = [{"name": "=cmd|' /C calc'!A0", "error": "@x", "p_a": -0.5, "copies": True}]
    content = csv_bytes(rows, ("name", "error", "p_a", "copies"))
    assert content == b"name,error,p_a,copies\r\n'=cmd|' /C calc'!A0,'@x,-0.5,true\r\n"


def test_columns_have_one_order():
    rows = [{"p_b": 1.0, "finding_x": "a"}, {"p_a": 0.0}]
    columns = columns_of(rows, ("sha256",), ("rank",))
    assert columns[0] == "sha256"
    assert columns[-4:] == ("p_a", "p_b", "finding_x", "rank")
