"""What the app's page shows is what the kept reports say, and can be measured again."""

from __future__ import annotations

import importlib.util
import re

import pytest

from benchmarks import RESULTS, ROOT
from benchmarks.claims.commands import COMMANDS, command_of
from benchmarks.claims.evidence import cases_per_label, class_figures, evidence_of
from benchmarks.kept import KeptReports
from jomed_app.errors import RecordError
from jomed_app.evaluation.report.evidence import EVIDENCE_FILE, read_evidence, write_evidence
from jomed_app.evaluation.report.schema import read_report

KEPT = KeptReports(RESULTS)
BREAST = read_report(KEPT.path("breast.report"))


def test_what_ships_is_what_the_reports_say(tmp_path):
    made = write_evidence(evidence_of(KEPT), tmp_path).read_text(encoding="utf-8")
    shipped = (ROOT / "assets" / EVIDENCE_FILE).read_text(encoding="utf-8")
    assert made == shipped, "run python -m benchmarks.write_results"
    assert read_evidence(tmp_path) == evidence_of(KEPT)
    assert read_evidence(tmp_path / "nowhere") is None
    (tmp_path / EVIDENCE_FILE).write_text("{}")
    with pytest.raises(RecordError, match=re.escape("jomed.evidence/1")):
        read_evidence(tmp_path)


def test_counts_follow_from_the_shares_that_are_kept():
    cases = cases_per_label(BREAST)
    assert cases is not None
    assert sum(cases.values()) == BREAST.n
    for figure in class_figures(BREAST, "x"):
        share = BREAST.systems[figure.system].recall[figure.label]
        assert figure.right / figure.cases == pytest.approx(share)
        assert figure.interval[0] < share < figure.interval[1]


def test_shares_that_do_not_tell_the_counts_give_no_line():
    half = {name: 0.5 for name in BREAST.labels}
    system = BREAST.systems["joint"].model_copy(update={"recall": half})
    coarse = BREAST.model_copy(update={"systems": {"joint": system}})
    assert cases_per_label(coarse) is None
    assert class_figures(coarse, "x") == []


def test_every_kept_report_has_a_command_whose_module_exists():
    for name in KEPT.names("*"):
        assert command_of(name)
    for command in COMMANDS.values():
        module = command.split()[2]
        assert importlib.util.find_spec(module) is not None, command
    with pytest.raises(KeyError, match="must say what measures 'nothing' again"):
        command_of("nothing")
