"""The commands of a file of judgements."""

from __future__ import annotations

import csv
import json

import pytest

from jomed_app.cli.main import main
from jomed_app.feedback.store import FeedbackStore
from tests.feedback.made import judgement, own


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "f.sqlite"
    store = FeedbackStore(path, b"k" * 32)
    store.save(judgement("1", verdict="disagree", own=own(True, False), truth="malignant"))
    store.save(judgement("2"))
    yield path  # and a server goes on writing it
    store.close()


def test_records_are_exported_while_the_server_runs(file, tmp_path, capsys):
    assert main(["feedback", "export", str(file), "--out", str(tmp_path / "r.jsonl")]) == 0
    lines = (tmp_path / "r.jsonl").read_text().splitlines()
    assert [json.loads(line)["verdict"] for line in lines] == ["disagree", "agree"]
    words = ["feedback", "export", str(file), "--as", "csv", "--out", str(tmp_path / "r.csv")]
    assert main(words) == 0
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [row["effect"] for row in rows] == ["harm", ""]
    assert "2 judgements written" in capsys.readouterr().out


def test_the_report_tells_override_and_harm_by_month(file, capsys):
    assert main(["feedback", "report", str(file)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "2026-11" in told
    assert "1 of 2 (50 %)" in told
    assert "1 of 1 (100 %)" in told


def test_a_file_that_is_no_data_base_is_one_sentence(tmp_path, capsys):
    path = tmp_path / "x.sqlite"
    assert main(["feedback", "report", str(path)]) == 2
    path.write_text("no data base, whatever its name says" * 40)
    assert main(["feedback", "report", str(path)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "must be a file of judgements" in told[1]
