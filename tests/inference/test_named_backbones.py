"""A file that names a local model: from an index to an answer, by the commands a user types."""

from __future__ import annotations

import json

import pytest

from jomed_app.boxes import Box
from jomed_app.cli.main import main
from jomed_app.config.backbones import load_backbones
from jomed_app.errors import ConfigError
from jomed_app.imaging import read_image
from jomed_app.inference.load import load_engine
from jomed_app.inference.own_place import NO_BOX, UNREADABLE
from jomed_app.types import Completed, Result
from jomed_app.ui import text
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.tiny_dual_encoders import write_tiny_dual_encoder
from tests.tiny_vlms import write_tiny_vlm

QUESTION = "Is it normal, benign or malignant?"
FILE = f"""
task = "breast"
question = "{QUESTION}"

[reader]
model = "reader"
precision = "fp32"
device = "cpu"

[retriever]
model = "retriever"
device = "cpu"
"""

pytestmark = pytest.mark.usefixtures("log_elsewhere")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A file beside two folders of models."""
    folder = tmp_path_factory.mktemp("named")
    write_tiny_vlm("qwen2_5_vl", folder / "reader")
    write_tiny_dual_encoder("siglip2", folder / "retriever")
    (folder / "mine.toml").write_text(FILE, encoding="utf-8")
    (folder / "query.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    return folder / "mine.toml"


@pytest.fixture(scope="module")
def index(named, tiny_corpus):
    out = named.parent / "index"
    words = ["index", "build", "--corpus", str(tiny_corpus[0]), "--bundle", str(named)]
    assert main([*words, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def engine(named, index):
    return load_engine(named, index)


@pytest.fixture(scope="module")
def query(named):
    return read_image(named.parent / "query.png")


@pytest.fixture(scope="module")
def result(engine, query):
    completed = list(engine.run(query))[-1]
    assert isinstance(completed, Completed)
    return completed.result


def test_diagnose_answers_from_a_file(named, index, result, capsys):
    words = ["diagnose", str(named.parent / "query.png"), "--bundle", str(named)]
    assert main([*words, "--index", str(index), "--json"]) == 0
    told = Result.model_validate_json(capsys.readouterr().out.splitlines()[-1])
    assert told.final == result.final
    assert told.candidates == result.candidates


def test_every_candidate_is_read_and_the_versions_say_by_what(result):
    assert len(result.candidates) == 4
    for each in result.candidates:
        assert sum(each.probabilities.values()) == pytest.approx(1.0)
    assert result.question == QUESTION
    assert result.versions.reader.startswith("qwen2_5_vl (")
    assert result.versions.retriever.startswith("siglip2 (")
    assert (result.versions.number_type, result.versions.precision) == ("fp32", "fp32")
    assert result.versions.bundle.startswith("mine (")


def test_nothing_is_said_that_was_not_measured(engine, result):
    assert engine.info.measured_on == ""
    assert text.measured_words(engine.info.measured_on) == text.NOT_MEASURED
    assert result.final.interval is None
    assert result.final.image_head == {}
    assert "domain" not in {check.name for check in result.input.checks}
    assert result.retrieval == "standard"


def test_an_unreadable_place_differs_from_none(engine, query, result, monkeypatch):
    assert result.boxes == ()
    assert result.report == UNREADABLE.format(finding="lesion")
    monkeypatch.setattr(engine.reader, "locate", lambda *_: [])
    none = list(engine.run(query))[-1].result
    assert none.report == NO_BOX.format(finding="lesion")


def test_a_box_lies_in_the_image_and_the_heat_over_what_was_read(engine, query, monkeypatch):
    monkeypatch.setattr(engine.reader, "locate", lambda *_: [Box(0.25, 0.5, 0.75, 1.0)])
    found = list(engine.run(query))[-1].result
    (box,) = found.boxes
    rows, columns = query.model_input.shape[:2]
    region = found.input.region
    left, top = (region.x0, region.y0) if region else (0, 0)
    assert (box.x0, box.x1) == (left + columns / 4, left + 3 * columns / 4)
    assert (box.y0, box.y1) == (top + rows / 2, top + rows)
    assert max(found.heatmap.values) == pytest.approx(1.0)
    assert found.heatmap.rows * found.heatmap.columns == len(found.heatmap.values)


def test_a_task_can_be_evaluated(named, index, tiny_real_cases, tmp_path):
    report = tmp_path / "report.json"
    words = ["evaluate", "--task", "breast", "--data", str(tiny_real_cases), "--split", "test"]
    words += ["--bundle", str(named), "--index", str(index), "--out", str(report), "--limit", "3"]
    assert main(words) == 0
    assert {"rag", "no_retrieval", "knn"} <= set(json.loads(report.read_text())["systems"])


def test_an_index_of_another_retriever_is_refused(named, tiny_index, capsys):
    words = ["diagnose", str(named.parent / "query.png"), "--bundle", str(named)]
    assert main([*words, "--index", str(tiny_index)]) == 2
    assert "index build" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[reader]\nmodel = 'x'", "'retriever' must be"),
        ("[reader]\nmodle = 'x'\n[retriever]\nmodel = 'y'", "did you mean 'reader.model'"),
        ("[reader]\nmodel = 'x'\nrows_at_once = 0\n[retriever]\nmodel = 'y'", "1 and 256"),
        ("reader", "valid TOML"),
    ],
)
def test_a_file_that_needs_mending_is_one_sentence(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_backbones(tmp_path / "mine.toml")


def test_paths_start_at_the_file(named):
    config = load_backbones(named)
    assert config.reader.model == str(named.parent / "reader")
    assert config.retriever.model == str(named.parent / "retriever")
