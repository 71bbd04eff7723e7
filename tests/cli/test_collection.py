"""`index measure` and `index calibrate` as a person types them."""

from __future__ import annotations

import json

import pytest

from jomed_app.cli.main import main
from tests.few_trials import few_trials

pytestmark = pytest.mark.usefixtures("log_elsewhere")


def test_a_collection_is_measured_and_its_report_kept(tiny_bundle, tiny_index, tmp_path, capsys):
    out = tmp_path / "deep" / "report.json"
    words = ["index", "measure", str(tiny_index), "--bundle", str(tiny_bundle), "--cases", "5"]
    with few_trials():
        assert main([*words, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "5 of 12 cases read as queries (thumbnails)" in said
    assert "Near-duplicates:" in said
    assert "vote of the nearest" in said
    assert "Beside 12 cases, accuracy:" in said
    assert "Nothing was fitted: a profile is fitted to at least 100 cases" in " ".join(said.split())
    kept = json.loads(out.read_text())
    assert kept["schema"] == "jomed.collection/1"
    assert kept["app"]["systems"]["rag"]["ece"] >= 0


def test_too_few_cases_are_refused_in_one_sentence(tiny_bundle, tiny_index, capsys):
    words = ["index", "calibrate", str(tiny_index), "--bundle", str(tiny_bundle), "--cases", "4"]
    assert main(words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "at least 100 cases" in error
    assert "add cases" in error
