"""Reading questions through the command line, with a bundle and an index."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.cli import main as cli
from jomed_app.data.records import read_records
from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError, RecordError
from jomed_app.evaluation.evaluate import evaluate_task
from jomed_app.evaluation.questions.read import JOINT_SYSTEM, VQA_SYSTEMS, evaluate_questions
from jomed_app.evaluation.report.questions import read_vqa_report
from jomed_app.retrieval.index import CandidateIndex
from tests.evaluation.questions.asked_images import HELD_OUT, write_asked_images, write_asked_task


@pytest.fixture(scope="module")
def task_file(tmp_path_factory):
    return write_asked_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_asked_images(tmp_path_factory.mktemp("asked"))


@pytest.fixture(autouse=True)
def _log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path / "log"))


def test_index_and_evaluation_of_questions_without_code(
    task_file, folder, tiny_bundle, tmp_path, capsys
):
    index, out = tmp_path / "index", tmp_path / "report.json"
    common = ["--task", str(task_file), "--data", str(folder), "--bundle", str(tiny_bundle)]
    assert cli.main(["index", "build", *common, "--split", "train", "--out", str(index)]) == 0
    words = ["evaluate", *common, "--split", "val", "--index", str(index), "--out", str(out)]
    assert cli.main(words) == 0, capsys.readouterr().err
    report = read_vqa_report(out)
    assert tuple(report.systems) == VQA_SYSTEMS
    assert (report.task, report.n, report.n_closed, report.n_groups) == ("asked", 6, 3, 3)
    assert report.inconsistent_rate is not None
    assert report.clean is not None, "near-duplicates in the index were looked for"
    assert JOINT_SYSTEM not in report.systems, "the bundle has no trained head"
    # By hand: the most frequent answer to each question, among the images of the index.
    assert report.systems["frequent"].exact == frequent_by_hand(folder)


def test_a_bundle_with_a_trained_image_head_answers_with_it_too(
    task_file, folder, moved_bundle, tmp_path, monkeypatch
):
    index, task = tmp_path / "index", load_task(task_file)
    words = ["--task", str(task_file), "--data", str(folder), "--bundle", str(moved_bundle)]
    assert cli.main(["index", "build", *words, "--split", "train", "--out", str(index)]) == 0
    searched = []
    search = CandidateIndex.search
    monkeypatch.setattr(
        CandidateIndex,
        "search",
        lambda self, vector, *rest: searched.append(vector) or search(self, vector, *rest),
    )
    report = evaluate_questions(
        task, folder, ["val"], moved_bundle, index, 1, tmp_path / "report.json", lambda *_: None
    )
    assert tuple(report["systems"]) == (*VQA_SYSTEMS, JOINT_SYSTEM)
    assert len(searched) == 2, "once by each head, whatever is asked"
    assert not np.allclose(*searched, atol=1e-3)


def frequent_by_hand(folder):
    records = read_records(folder)
    right = 0
    for place in (0, 1):
        known = [one.questions[place].answer for one in records[:-HELD_OUT]]
        best = min(set(known), key=lambda text: (-known.count(text), text))
        right += sum(one.questions[place].answer == best for one in records[-HELD_OUT:])
    return right / (2 * HELD_OUT)


@pytest.mark.parametrize("name", ["knn", JOINT_SYSTEM])
def test_systems_that_a_bundle_cannot_answer_with_are_refused(task_file, tmp_path, name):
    with pytest.raises(ConfigError, match=rf"among \['frequent', .*'rag'\], found \['{name}'\]"):
        evaluate_task(
            str(task_file), tmp_path, "val", tmp_path, tmp_path, [name], None, tmp_path, print
        )


def test_cases_without_questions_are_refused(
    task_file, tiny_corpus, tiny_bundle, tiny_index, tmp_path
):
    root, _ = tiny_corpus
    with pytest.raises(RecordError, match="needs cases with questions"):
        evaluate_questions(
            load_task(task_file), root, [], tiny_bundle, tiny_index, None, tmp_path / "r", print
        )
