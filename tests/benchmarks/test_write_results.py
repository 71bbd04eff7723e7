"""Pages are what the kept reports say, and a run's reports are kept before they become pages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from benchmarks import README, RESULTS, write_results
from benchmarks.kept import FOLDER, KeptReports, Measured
from benchmarks.reliability.records import FOLDER as RECORDED
from benchmarks.write_results import keep_run, main, publish, write_pages
from jomed_app.errors import RecordError
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.evaluation.report.pages.task import PICTURES
from jomed_app.evaluation.report.questions import build_vqa_report, read_vqa_report
from jomed_app.evaluation.report.schema import read_report, write_report
from jomed_app.training.run.costs import read_costs, record_costs
from tests.markdown_tables import unpadded

MARKED = "<!-- results: begin -->\n<!-- results: end -->\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """All pages, made anew from the kept reports, and the README beside them."""
    pytest.importorskip("matplotlib", reason="pictures need the development tools")
    results = tmp_path_factory.mktemp("results")
    shutil.copytree(RESULTS / FOLDER, results / FOLDER)
    readme = shutil.copy2(README, results.parent / "README.md")
    write_pages(results, Path(readme))
    return results


def test_every_page_is_what_its_reports_say(made):
    kept = {path.name: path.read_text(encoding="utf-8") for path in RESULTS.glob("*.md")}
    anew = {path.name: path.read_text(encoding="utf-8") for path in made.glob("*.md")}
    assert kept.keys() == anew.keys()
    for name, text in anew.items():
        assert kept[name] == text, f"{name}: run python -m benchmarks.write_results"


def test_the_table_of_the_readme_is_what_the_reports_say(made):
    anew = (made.parent / "README.md").read_text(encoding="utf-8")
    assert README.read_text(encoding="utf-8") == anew, "run python -m benchmarks.write_results"


def words_of(picture: Path) -> list[str]:
    """What stands in a picture; its lines may differ by a last digit between machines."""
    return re.findall(r"<text [^>]*>([^<]*)</text>", picture.read_text(encoding="utf-8"))


def test_every_picture_is_drawn_from_its_report_and_shown_by_a_page(made):
    kept = {path.name: words_of(path) for path in (RESULTS / PICTURES).iterdir()}
    assert kept == {path.name: words_of(path) for path in (made / PICTURES).iterdir()}
    text = "".join(path.read_text(encoding="utf-8") for path in RESULTS.glob("*.md"))
    assert set(re.findall(rf"!\[[^]]*\]\({PICTURES}/([^)]+)\)", text)) == kept.keys()


def test_the_results_hold_pages_pictures_reports_and_recorded_runs_alone():
    beside = {path.name for path in RESULTS.iterdir() if path.suffix != ".md"}
    assert beside == {FOLDER, PICTURES, RECORDED.name}


def test_every_kept_report_says_what_it_was_measured_with():
    kept = KeptReports(RESULTS)
    assert all(kept.measured(name) for name in kept.names("*"))


def test_a_report_that_names_its_bundle_was_measured_with_it():
    kept = KeptReports(RESULTS)
    names = list(kept.names("vqa.*"))
    assert names
    for name in names:
        bundle = read_vqa_report(kept.path(name)).bundle
        assert kept.measured(name).bundle == f"bundle {bundle.split()[-1]}"


@pytest.mark.parametrize(
    "path", sorted((RESULTS / FOLDER).glob("*.report*.json")), ids=lambda path: path.name
)
def test_every_kept_report_can_be_read(path):
    assert read_report(path).systems


def test_no_page_says_plus_minus_nothing_or_claims_an_absence_that_nobody_looked_for(made):
    for name in ("breast.md", "retina.md"):
        text = (made / name).read_text(encoding="utf-8")
        assert "± 0.000 " not in text
        assert "was not computed" in text
        assert "without a near duplicate among" not in text


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    (tmp_path / "README.md").write_text(MARKED, encoding="utf-8")
    monkeypatch.setattr(write_results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(write_results, "README", tmp_path / "README.md")
    return tmp_path / "results"


def write_questions(run: Path) -> None:
    asked = [AnsweredQuestion("a", "?", "liver", False, {"rag": "liver"})]
    for task in ("slake", "vqa_rad"):
        report = build_vqa_report(
            asked, task=task, split="val", bundle="b", index="i", num_resamples=10
        )
        write_report(report, run / "vqa" / f"report.{task}.json")


def test_reports_on_questions_become_one_page(results, tmp_path, capsys):
    write_questions(tmp_path / "run")
    assert main([str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == "questions.md\nREADME.md\n"
    page = (results / "questions.md").read_text(encoding="utf-8")
    assert "## slake, val" in page
    assert "## vqa_rad, val" in page
    assert "Measured with run `run`." in page
    assert read_vqa_report(results / FOLDER / "vqa.slake.json").task == "slake"


def test_the_bundle_that_was_made_of_a_run_is_said(results, tmp_path):
    write_questions(tmp_path / "run")
    assert main([str(tmp_path / "run"), "--bundle", "bundle 9"]) == 0
    assert "Measured with bundle 9." in (results / "questions.md").read_text(encoding="utf-8")


def test_reports_of_one_page_that_were_measured_apart_say_so_each(results, tmp_path):
    write_questions(tmp_path / "run")
    kept = KeptReports(results)
    keep_run(tmp_path / "run", kept, Measured(bundle="bundle 9"))
    kept.record("vqa.slake", Measured(bundle="bundle 8"))
    write_pages(results)
    text = (results / "questions.md").read_text(encoding="utf-8")
    assert "`vqa.slake`: Measured with bundle 8. `vqa.vqa_rad`: Measured with bundle 9." in text


def test_the_costs_of_every_run_are_on_one_page(results, tmp_path):
    def told(done, total, **figures):
        pass

    for run in ("embedded", "retina"):
        (tmp_path / run).mkdir()
        with record_costs(tmp_path / run, "reader", told, adds_up=False) as on_progress:
            on_progress(1, 1, loss=0.5)
        assert main([str(tmp_path / run)]) == 0
    page = unpadded((results / "costs.md").read_text(encoding="utf-8"))
    assert page.index("## embedded") < page.index("## retina")
    assert page.count("| reader | 1 | 0:00:00 |") == 2
    assert read_costs(results / FOLDER / "embedded.costs.json").stages["reader"].steps == 1


def test_a_run_without_reports_is_told_by_the_exit_code(results, tmp_path, capsys):
    assert main([str(tmp_path / "empty")]) == 2
    assert "'empty' holds no report; run measure first" in capsys.readouterr().err


def test_a_run_s_reports_are_kept_under_its_task(results, tmp_path):
    run, kept = tmp_path / "run", KeptReports(results)
    (run / "cv").mkdir(parents=True)
    for name in ("report.json", "report.gap.json", "report.joint1.binary.json"):
        shutil.copy2(RESULTS / FOLDER / f"breast.{name}", run / "cv" / name)
    shutil.copy2(RESULTS / FOLDER / "breast.fold_seeds.json", run / "cv" / "fold_seeds.json")
    names = keep_run(run, kept, Measured(bundle="run `run`"))
    assert sorted(names) == [
        "breast.fold_seeds", "breast.report", "breast.report.gap", "breast.report.joint1.binary"
    ]  # fmt: skip
    assert sorted(kept.names("*")) == sorted(names)


def test_an_experiment_is_kept_and_becomes_a_page(results):
    values = KeptReports(RESULTS).load("recipes")
    publish("recipes", values, Measured(bundle="runs `a` and `b`"))
    assert KeptReports(results).load("recipes") == values
    page = (results / "recipes.md").read_text(encoding="utf-8")
    assert "do not edit. Measured with runs `a` and `b`. Research demo" in page
    assert "| accuracy, `joint`: run `embedded_short`" in (results / "README.md").read_text()


def test_a_report_of_which_nobody_said_what_was_measured_is_refused(results):
    kept = KeptReports(results)
    kept.keep("recipes", KeptReports(RESULTS).load("recipes"), Measured())
    (kept.folder / "measured_with.json").unlink()
    with pytest.raises(RecordError, match="must say what every kept report was measured with"):
        write_pages(results)
