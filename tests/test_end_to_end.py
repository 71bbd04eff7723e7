"""Simulated corpus to report on tiny random weights: every stage's output is the next one's input.

The weights know nothing, so no figure is judged here; that all parts fit each other is.
"""

from __future__ import annotations

import json

import pytest

from jomed_app.cli import main as cli
from jomed_app.evaluation.report.build import read_report
from jomed_app.imaging import read_image
from jomed_app.inference.load import load_engine
from jomed_app.types import BoxesReady, Completed, Result
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png


@pytest.fixture(scope="module")
def index(tiny_run, tiny_export, tmp_path_factory):
    """The run's own cases, indexed through the command line with the exported bundle."""
    out = tmp_path_factory.mktemp("end_to_end") / "index"
    words = ["index", "build", "--corpus", str(tiny_run / "sim" / "reader")]
    assert cli.main([*words, "--bundle", str(tiny_export), "--out", str(out)]) == 0
    return out


@pytest.fixture(autouse=True)
def _log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path / "log"))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "nf4"])
def test_an_exported_bundle_answers_in_every_precision(tiny_export, index, precision):
    engine = load_engine(tiny_export, index, precision=precision)
    events = list(engine.run(read_image(simulated_png(FIRST_FRESH_SEED))))
    assert isinstance(events[-1], Completed)
    result = events[-1].result
    if result.candidates:  # a dozen images may not be enough for the domain check
        assert isinstance(events[-2], BoxesReady)
        assert sum(each.weight for each in result.candidates) == pytest.approx(1.0)
        assert sum(result.final.probabilities.values()) == pytest.approx(1.0)
    else:
        assert "does not look like a breast ultrasound" in (result.final.reason or "")


def test_the_command_line_diagnoses_evaluates_and_verifies(
    tiny_export, index, tiny_real_cases, tmp_path, capsys
):
    image = tmp_path / "query.png"
    image.write_bytes(simulated_png(FIRST_FRESH_SEED + 1))
    place = ["--bundle", str(tiny_export), "--index", str(index)]
    capsys.readouterr()
    assert cli.main(["diagnose", str(image), "--json", *place]) == 0
    result = Result.model_validate_json(capsys.readouterr().out)
    assert result.versions.bundle.startswith("tiny-export 3 (")

    report = tmp_path / "report.json"
    words = ["evaluate", "--task", "breast", "--data", str(tiny_real_cases), "--split", "test"]
    assert cli.main([*words, "--out", str(report), *place]) == 0
    assert read_report(report).n == 4
    assert cli.main(["bundle", "verify", str(tiny_export)]) == 0
    capsys.readouterr()
    assert cli.main(["bundle", "info", str(tiny_export)]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "tiny-export"


def test_an_index_of_another_bundle_is_refused(tiny_export, tiny_index, tmp_path, capsys):
    image = tmp_path / "query.png"
    image.write_bytes(simulated_png(FIRST_FRESH_SEED))
    words = ["diagnose", str(image), "--bundle", str(tiny_export), "--index", str(tiny_index)]
    assert cli.main(words) == 2
    assert "was built with retriever" in capsys.readouterr().err


def test_the_index_can_grow(tiny_export, index, tiny_corpus, tmp_path):
    folder, _ = tiny_corpus
    words = ["index", "add", str(index), "--corpus", str(folder), "--out", str(tmp_path / "grown")]
    assert cli.main([*words, "--bundle", str(tiny_export)]) == 0
    engine = load_engine(tiny_export, tmp_path / "grown", precision="fp32")
    assert engine.info.index_size == 24
