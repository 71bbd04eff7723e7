"""A run's reports become pages, beside copies of the reports."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks import write_results
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.evaluation.report.pages import page_name
from jomed_app.evaluation.report.questions import build_vqa_report, read_vqa_report
from jomed_app.evaluation.report.schema import read_report, write_report
from jomed_app.training.run.costs import read_costs, record_costs

KEPT = Path(__file__).resolve().parents[2] / "docs" / "results" / "reports"


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(write_results, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_reports_on_questions_become_one_page(results, tmp_path, capsys):
    asked = [AnsweredQuestion("a", "?", "liver", False, {"rag": "liver"})]
    for task in ("slake", "vqa_rad"):
        report = build_vqa_report(
            asked, task=task, split="val", bundle="b", index="i", num_resamples=10
        )
        write_report(report, tmp_path / "run" / "vqa" / f"report.{task}.json")
    assert write_results.main(tmp_path / "run") == 0
    assert capsys.readouterr().out == "vqa.md\n"
    page = (results / "vqa.md").read_text(encoding="utf-8")
    assert "## slake, val" in page
    assert "## vqa_rad, val" in page
    assert read_vqa_report(results / "reports" / "vqa.slake.json").task == "slake"


def test_the_costs_of_every_run_are_on_one_page(results, tmp_path, capsys):
    def told(done, total, **figures):
        pass

    for run in ("embedded", "retina"):
        (tmp_path / run).mkdir()
        with record_costs(tmp_path / run, "reader", told, adds_up=False) as on_progress:
            on_progress(1, 1, loss=0.5)
        assert write_results.main(tmp_path / run) == 0
    assert capsys.readouterr().out == "costs.md\n" * 2
    page = (results / "costs.md").read_text(encoding="utf-8")
    assert page.index("## embedded") < page.index("## retina")
    assert page.count("| reader | 1 | 0:00:00 |") == 2
    assert read_costs(results / "reports" / "embedded.costs.json").stages["reader"].steps == 1


def test_a_run_without_reports_is_told_by_the_exit_code(results, tmp_path):
    assert write_results.main(tmp_path / "empty") == 2


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.report*.json")), ids=lambda path: path.name)
def test_every_kept_report_can_be_read(path):
    assert read_report(path).systems


def test_a_run_does_not_take_another_ones_seeds_off_the_page(results, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need the development tools")
    for task in ("breast", "retina"):
        folder = tmp_path / task / "cv"
        folder.mkdir(parents=True)
        for name in ("report.binary.json", "report.joint1.binary.json"):
            shutil.copy2(KEPT / f"{task}.{name}", folder / name)
        assert write_results.main(tmp_path / task) == 0
    page = (results / "seeds.md").read_text(encoding="utf-8")
    for task in ("breast", "retina"):
        assert f"| {task}-binary | " in page


def test_a_kept_report_still_becomes_a_page(results, tmp_path):
    """Of an older schema as well."""
    pytest.importorskip("matplotlib", reason="plots need the development tools")
    (tmp_path / "run" / "cv").mkdir(parents=True)
    shutil.copy2(KEPT / "retina.report.json", tmp_path / "run" / "cv" / "report.json")
    assert write_results.main(tmp_path / "run") == 0
    page = page_name(read_report(KEPT / "retina.report.json"))
    assert f"]({page}-states.svg)" in (results / f"{page}.md").read_text(encoding="utf-8")
    assert (results / "reports" / "retina.report.json").is_file()
