from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from jomed_app.cli import main as cli
from jomed_app.config.load import CONFIG_FOLDER
from jomed_app.errors import BundleError
from jomed_app.types import (
    BoxResult,
    CandidateResult,
    ChecksDone,
    Completed,
    Consistency,
    ConsistencyState,
    FinalResult,
    InputInfo,
    Result,
    Versions,
)

pytestmark = pytest.mark.usefixtures("log_elsewhere")
REPOSITORY = Path(__file__).resolve().parents[2]
INFO = InputInfo(format="png", rows=4, columns=4, photometric="L")
RESULT = Result(
    versions=Versions(app="0", bundle="b", index="i"),
    input=INFO,
    question="What is it?",
    candidates=(
        CandidateResult(
            rank=1,
            candidate_id="case-7",
            heads=("image",),
            retriever_score=0.9,
            weight=1.0,
            similarity_percentile=99.4,
            label="benign",
            passage="An oval mass.",
            prediction="malignant",
            probabilities={"benign": 0.25, "malignant": 0.75},
        ),
    ),
    final=FinalResult(prediction="malignant", probabilities={"malignant": 0.75, "benign": 0.25}),
    consistency=Consistency(state=ConsistencyState.DISAGREE, counts={"malignant": 1, "benign": 1}),
    boxes=(BoxResult(x0=1, y0=2, x1=3, y1=4, score=0.8, label="mass"),),
)


@pytest.fixture
def engine(stand_in):
    """An engine that answers at once and remembers what it was asked."""
    asked = {}

    class Engine:
        info = SimpleNamespace(sent_to="")
        index = profile = standard = None

        def run(self, image, *, question=None, k=None, retrieval="joint", anyway=False):
            asked.update(question=question, k=k, retrieval=retrieval, anyway=anyway)
            asked.update(shape=image.model_input.shape, first=int(image.model_input[0, 0, 0]))
            sys.stdout.write("noise of a library\n")
            yield ChecksDone(INFO)
            yield Completed(RESULT)

        def warm(self, *, cancel):
            pass

    def load_engine(bundle, index, *, precision, on_load=None):
        asked.update(bundle=bundle, index=index, precision=precision)
        return Engine()

    stand_in("jomed_app.inference.load", load_engine=load_engine)
    return asked


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    gray = np.random.default_rng(0).integers(0, 255, (64, 80), dtype=np.uint8)
    Image.fromarray(gray).save(path)
    return path


def test_json_is_all_that_stdout_gets(engine, image, capsys):
    assert cli.main(["diagnose", str(image), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert json.loads(captured.out)["versions"]["schema"] == "jomed.result/4"
    assert Result.model_validate_json(captured.out) == RESULT
    assert "noise of a library" in captured.err
    assert engine["bundle"] == REPOSITORY / "assets" / "bundle"
    assert engine["index"] == REPOSITORY / "index" / "simulated"
    assert engine["shape"] == (64, 80, 3)


def test_an_image_is_inverted_and_read_anyway_as_asked(engine, image, capsys):
    assert cli.main(["diagnose", str(image), "--json"]) == 0
    first = engine["first"]
    assert not engine["anyway"]
    assert cli.main(["diagnose", str(image), "--json", "--invert", "--anyway"]) == 0
    assert engine["first"] == 255 - first
    assert engine["anyway"]


@pytest.mark.parametrize(("words", "asked"), [((), "auto"), (("--precision", "nf4"), "nf4")])
def test_a_precision_is_handed_on(engine, stand_in, image, words, asked):
    stand_in("jomed_app.server.run", serve=lambda *_: None, listen=lambda *_: nullcontext())
    loads_at_once = {"load_while_serving": lambda load, *_, **__: load(None)}
    stand_in("jomed_app.server.starting.run", **loads_at_once)
    assert cli.main(["diagnose", str(image), "--json", *words]) == 0
    assert engine.pop("precision") == asked
    assert cli.main(["serve", *words]) == 0
    assert engine.pop("precision") == asked


def test_an_unknown_precision_is_bad_input(image, tmp_path, capsys):
    assert cli.main(["diagnose", str(image), "--precision", "fp8"]) == 2
    complaint = "precision must be one of auto, fp32, bf16, int8, nf4, found 'fp8'\n"
    assert capsys.readouterr().err == complaint


def test_the_table_warns_before_it_diagnoses(engine, image, capsys):
    words = ["diagnose", str(image), "--question", "Is it a cyst?", "--k", "3"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "not a medical device" in out
    assert out.index("SPEAK AGAINST THE ANSWER") < out.index("Final: malignant")
    assert "read beside each: 1 malignant, 1 benign" in out
    assert "case-7" in out
    assert "Box mass 0.80: x 1-3, y 2-4 px" in out
    assert (engine["question"], engine["k"], engine["retrieval"]) == ("Is it a cyst?", 3, None)


@pytest.mark.parametrize(
    ("words", "shape"), [("whole", (64, 80, 3)), ("found", (64, 80, 3)), ("8,4,70,60", (56, 62, 3))]
)
def test_a_region_is_what_is_read(engine, image, words, shape):
    assert cli.main(["diagnose", str(image), "--region", words, "--json"]) == 0
    assert engine["shape"] == shape


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("left half", "a region must be 'found'"),
        ("0,0,90,64", "must lie in the picture of 80 x 64"),
    ],
)
def test_a_region_that_cannot_be_read_is_bad_input(engine, image, words, complaint, capsys):
    assert cli.main(["diagnose", str(image), "--region", words]) == 2
    assert complaint in capsys.readouterr().err


def test_standard_asks_for_the_search_by_similarity_alone(engine, image, capsys):
    assert cli.main(["diagnose", str(image), "--standard", "--json"]) == 0
    assert engine["retrieval"] == "standard"


def test_out_holds_the_same_result(engine, image, tmp_path, capsys):
    assert cli.main(["diagnose", str(image), "--json", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "result.json").read_text() == capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["diagnose", "absent.png"], "IMAGE must be an existing file, found none"),
        (["diagnose"], "Missing argument"),
        (["diagnose", "x.png", "--k", "0"], "--k"),
        (["diagnos"], "No such command 'diagnos'"),
        (["train", "everything", "--config", "x", "--out", "y"], "everything"),
        (["train", "align", "--config", "absent.toml", "--out", "y"], "cannot read 'absent.toml'"),
        (["index", "build", "--out", "y"], "requires either --corpus or --data"),
        (["index", "build", "--corpus", "a", "--data", "b", "--out", "y"], "give one of the two"),
        (["index", "info", "absent"], "an index must be a folder"),
        (["bundle", "verify", "absent"], "a bundle must be a folder"),
        (["bundle", "info", "absent"], "a bundle must be a folder"),
        (["simulate", "--count", "0", "--out", "y"], "--count"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_mistyped_setting_names_the_right_one(capsys, tmp_path):
    words = ["train", "align", "--config", str(CONFIG_FOLDER / "embedded.toml")]
    words += ["--set", "align.temprature=1", "--out", str(tmp_path)]
    assert cli.main(words) == 2
    assert "did you mean 'align.temperature'?" in capsys.readouterr().err


def test_a_file_that_is_no_image_is_bad_input(engine, tmp_path, capsys):
    path = tmp_path / "DOE_JOHN.png"
    path.write_bytes(b"no image at all")
    assert cli.main(["diagnose", str(path)]) == 2
    assert "DOE" not in capsys.readouterr().err
    assert engine == {}, "no model is loaded for a file that cannot be read"


def test_our_fault_is_an_incident_and_exit_1(stand_in, image, capsys, caplog):
    def broken(bundle, index, *, precision, on_load):
        raise RuntimeError("patient DOE^JOHN")

    stand_in("jomed_app.inference.load", load_engine=broken)
    assert cli.main(["diagnose", str(image)]) == 1
    captured = capsys.readouterr()
    incident = captured.err.strip().rsplit(" ", 1)[-1]
    assert captured.err == f"something went wrong on our side; incident {incident}\n"
    assert incident in caplog.text
    assert "DOE" not in captured.err + caplog.text


def test_an_error_of_ours_keeps_its_sentence(stand_in, image, capsys):
    def broken(bundle, index, *, precision, on_load):
        raise BundleError("a bundle must match its manifest,\nfound another hash")

    stand_in("jomed_app.inference.load", load_engine=broken)
    assert cli.main(["diagnose", str(image)]) == 2
    assert capsys.readouterr().err == "a bundle must match its manifest, found another hash\n"


def test_ctrl_c_is_no_fault(stand_in, image, capsys):
    def stopped(bundle, index, *, precision, on_load):
        raise KeyboardInterrupt

    stand_in("jomed_app.inference.load", load_engine=stopped)
    assert cli.main(["diagnose", str(image)]) == 130
    assert "stopped" in capsys.readouterr().err


def test_simulate_writes_cases(tmp_path, capsys):
    out = tmp_path / "cases"
    assert cli.main(["simulate", "--count", "2", "--out", str(out), "--size", "96",
                     "--workers", "1"]) == 0  # fmt: skip
    assert len((out / "records.jsonl").read_text().splitlines()) == 2
    assert capsys.readouterr().out == ""


def test_evaluate_prints_a_column_per_system(stand_in, tmp_path, capsys):
    def evaluate_task(*given, **more):
        task, _, split, _, _, systems, _, out, on_progress, precision = given
        on_progress(1, 1)
        assert precision == "fp32"
        figures = {"accuracy": 0.5, "accuracy_ci": [0.25, 0.75], "auroc": None}
        systems = dict.fromkeys(systems, figures) | {"rag": figures | {"selective": {"ci": None}}}
        systems["knn"] = figures | {"selective": None}
        report = {"task": task, "split": split, "n": 4, "systems": systems}
        out.write_text(json.dumps(report))
        return report

    stand_in("jomed_app.evaluation.evaluate", evaluate_task=evaluate_task)
    words = ["--task", "breast", "--data", "d", "--split", "val", "--systems", "knn, rag"]
    words += ["--precision", "fp32"]
    assert cli.main(["evaluate", *words, "--out", str(tmp_path / "report.json")]) == 0
    out = capsys.readouterr().out
    assert "breast val: 4 cases" in out
    assert "0.250 - 0.750" in out
    assert "selective" not in out, "a table in a table is for the file"
    assert out.index("knn") < out.index("rag")


def _run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"JOMED_LOG_DIR": str(folder), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-m", "jomed_app", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_comes_at_once_and_names_every_command(tmp_path):
    started = time.monotonic()
    done = _run("--help", folder=tmp_path)
    seconds = time.monotonic() - started
    assert done.returncode == 0
    for command in ("diagnose", "evaluate", "train", "index", "bundle", "serve", "simulate"):
        assert f"  {command} " in done.stdout
    assert seconds < 5  # 0.2 s alone; five times a second for a busy machine


def test_the_process_exits_with_the_same_codes(tmp_path):
    done = _run("diagnose", "absent.png", "--json", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert _run(folder=tmp_path).returncode == 0
