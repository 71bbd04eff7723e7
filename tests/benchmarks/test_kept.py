"""Kept reports: they come back, and so does what each was measured with."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks.kept import KeptReports, Measured
from jomed_app.errors import RecordError


@pytest.fixture
def kept(tmp_path) -> KeptReports:
    return KeptReports(tmp_path)


def test_a_report_comes_back_and_an_undefined_figure_as_none(kept):
    kept.keep("a", {"rows": [1, math.nan, (2.5,)]}, Measured(bundle="bundle 1"))
    assert kept.load("a") == {"rows": [1, None, [2.5]]}
    assert "NaN" not in kept.path("a").read_text()
    assert kept.load("b") is None


def test_what_each_was_measured_with_is_recorded_one_by_one(kept, tmp_path):
    kept.keep("b", {}, Measured(bundle="bundle 1", note="More."))
    source = tmp_path / "source.json"
    source.write_text('{"x": 1}')
    kept.copy(source, "a", Measured())
    kept.record("a.part", Measured(bundle="another"))
    assert kept.path("a").read_text() == '{"x": 1}'
    assert list(kept.names("*")) == ["a", "b"]
    assert kept.measured("a").sentence == "No bundle takes part."
    assert kept.measured("b").sentence == "Measured with bundle 1. More."
    assert kept.measured("a.part").bundle == "another"
    stored = json.loads((kept.folder / "measured_with.json").read_text())
    assert list(stored) == ["a", "a.part", "b"]


def test_what_nobody_recorded_is_named(kept):
    with pytest.raises(RecordError, match="found nothing of 'a'; add it"):
        kept.measured("a")
