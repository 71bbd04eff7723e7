"""A task of one's own, without code: a TOML file and a folder of records, indexed and measured.

The files are those that docs/tasks.md shows, so the page stays true.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jomed_app.cli import main as cli
from jomed_app.data.records import CaseRecord, read_records
from jomed_app.data.tasks import load_task
from jomed_app.evaluation.report.build import read_report

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tasks.md"


def code_block(kind: str, place: int = 0) -> str:
    """A block of the page by its language."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[place]


@pytest.fixture(autouse=True)
def _log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path / "log"))


@pytest.fixture(scope="module")
def task_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("task") / "wrist.toml"
    path.write_text(code_block("toml"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_wrist_cases(tmp_path_factory.mktemp("wrist"))


def write_wrist_cases(root):
    """The page's two records and their like: dark and bright images."""
    (root / "images").mkdir()
    lines = code_block("json").strip().splitlines()
    shown = [CaseRecord.model_validate_json(line) for line in lines]
    records = []
    for number in range(12):
        first = shown[number % len(shown)]
        shade = 40 if first.label == shown[0].label else 200
        image = np.random.default_rng(number).integers(shade, shade + 40, (first.rows, 60, 3))
        name = f"images/{number}.png"
        Image.fromarray(image.astype(np.uint8)).save(root / name)
        records.append(
            first.model_copy(
                update={
                    "case_id": f"case{number}",
                    "image": name,
                    "group": f"patient{number}",
                    "columns": 60,
                    "split": "train" if number < 8 else "test",
                }
            )
        )
    (root / "records.jsonl").write_text(
        "".join(record.model_dump_json(exclude_defaults=True) + "\n" for record in records),
        encoding="utf-8",
    )
    return root


def test_the_pages_records_follow_its_task(task_file, folder):
    task = load_task(task_file)
    assert {record.label for record in read_records(folder)} == set(task.labels)


def test_index_and_evaluation_without_code(task_file, folder, tiny_bundle, tmp_path, capsys):
    index, report = tmp_path / "index", tmp_path / "report.json"
    common = ["--task", str(task_file), "--data", str(folder), "--bundle", str(tiny_bundle)]
    assert cli.main(["index", "build", *common, "--split", "train", "--out", str(index)]) == 0
    words = ["evaluate", *common, "--split", "test", "--index", str(index), "--out", str(report)]
    assert cli.main(words) == 0, capsys.readouterr().err
    found = read_report(report)
    assert (found.task, found.n, found.labels) == ("wrist", 4, load_task(task_file).labels)
    drawn = {"random_candidates", "adversarial_candidates"}
    assert set(found.systems) == {"knn", "no_retrieval", "reader", "rag", *drawn}
    assert found.systems["knn"].accuracy == 1.0, "dark and bright images lie far apart"
    assert found.systems["rag"].parse_rate is None, "a task without boxes is not measured on them"


def test_an_index_of_another_task_is_said_in_one_line(
    task_file, folder, tiny_bundle, tiny_index, tmp_path, capsys
):
    words = ["evaluate", "--task", str(task_file), "--data", str(folder), "--split", "test"]
    words += ["--bundle", str(tiny_bundle), "--index", str(tiny_index)]
    assert cli.main([*words, "--out", str(tmp_path / "report.json")]) == 2
    assert "the index must hold cases of the labels" in capsys.readouterr().err


def test_the_pages_open_task_and_its_record_follow_the_schemas(tmp_path):
    path = tmp_path / "ward.toml"
    path.write_text(code_block("toml", 1), encoding="utf-8")
    assert load_task(path).is_open
    record = CaseRecord.model_validate_json(code_block("json", 1))
    assert [one.is_closed for one in record.questions] == [False, True]
