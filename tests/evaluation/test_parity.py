"""One truth: what a report says of a case is what the app answers, within 1e-6.

On tiny models in the default suite; on the shipped bundle where real images are at hand (slow).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jomed_app.data.records import read_records, write_records
from jomed_app.evaluation.evaluate import evaluate_task
from jomed_app.evaluation.questions.read import VQA_SYSTEMS
from jomed_app.evaluation.report.predictions import read_predictions
from jomed_app.imaging import read_image
from jomed_app.inference.load import load_engine
from jomed_app.inference.questions.free_answers import CLOSED_OPTIONS
from tests.evaluation.questions.asked_images import write_asked_images, write_asked_task
from tests.few_trials import few_trials
from tests.tiny_bundle import write_tiny_corpus

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_CASES, NUM_TINY = 30, 12  # of the shipped bundle, of the tiny one
SEARCHES = {"rag": "standard", "joint": "joint"}


def silent(*steps, **figures):
    """No progress is shown."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A dozen fresh simulated cases as a labelled split."""
    folder = tmp_path_factory.mktemp("parity")
    records = write_tiny_corpus(folder, NUM_TINY, seed=17)
    write_records(folder, [each.model_copy(update={"split": "val"}) for each in records])
    return folder


def predicted(report, system):
    """Case id -> probabilities in the predictions beside a report."""
    table = read_predictions(report).to_pylist()
    return {row["case_id"]: row["probabilities"] for row in table if row["system"] == system}


def answered(engine, image, retrieval):
    """The app's probabilities, whether or not it withholds an answer; None where it refuses."""
    *_, done = engine.run(read_image(image), retrieval=retrieval)
    return list(done.result.final.probabilities.values()) or None


@pytest.fixture(scope="module")
def report(cases, moved_bundle, tiny_index, tmp_path_factory):
    """The command's report on all of them."""
    out = tmp_path_factory.mktemp("report") / "report.json"
    with few_trials():
        evaluate_task(
            "breast", cases, "val", moved_bundle, tiny_index, ["rag", "joint"], None, out, silent
        )
    return out


@pytest.mark.parametrize("system", SEARCHES)
def test_a_report_says_what_the_app_answers(system, cases, report, moved_bundle, tiny_index):
    engine = load_engine(moved_bundle, tiny_index)
    # The tiny bundle takes some images for foreign ones; here it answers all.
    engine.profile = engine.profile.with_settings(domain_probability=0.0)
    engine.standard = engine.standard.with_settings(domain_probability=0.0)
    found = predicted(report, system)
    assert len(found) == NUM_TINY
    for record in read_records(cases):
        said = answered(engine, cases / record.image, SEARCHES[system])
        np.testing.assert_allclose(found[record.case_id], said, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """An open task's file and its images: six held-out questions twice, and what is known."""
    folder = tmp_path_factory.mktemp("asked")
    task = write_asked_task(tmp_path_factory.mktemp("task"))
    write_asked_images(folder)
    records = read_records(folder)
    held_out = [
        each.model_copy(update={"split": "val"} if place >= 3 else {"split": "train"})
        for place, each in enumerate(records)
    ]
    write_records(folder, held_out)
    return task, folder


@pytest.fixture(scope="module")
def asked_report(asked, moved_bundle, tmp_path_factory):
    """The command's report on all questions of the held-out images, and the index it used."""
    from jomed_app.cli import main as cli

    (task, folder), out = asked, tmp_path_factory.mktemp("asked_report")
    words = ["--task", str(task), "--data", str(folder), "--bundle", str(moved_bundle)]
    assert not cli.main(["index", "build", *words, "--split", "train", "--out", str(out / "index")])
    path = out / "report.json"
    evaluate_task(str(task), folder, "val", moved_bundle, out / "index", None, None, path, silent)
    return path, out / "index"


@pytest.mark.parametrize("system", SEARCHES)
def test_a_report_on_questions_says_what_the_app_answers(system, asked, asked_report, moved_bundle):
    path, index = asked_report
    table = read_predictions(path).to_pylist()
    assert {row["system"] for row in table} == {*VQA_SYSTEMS, "joint"}
    rows = [row for row in table if row["system"] == system]
    assert len(rows) >= 10
    engine = load_engine(moved_bundle, index)
    _, folder = asked
    found = iter(rows)
    for record in (each for each in read_records(folder) if each.split == "val"):
        image = read_image(folder / record.image)
        for one in record.questions:
            said = engine.questions.ask(
                image,
                one.question,
                options=CLOSED_OPTIONS if one.is_closed else (),
                retrieval=SEARCHES[system],
            )
            row = next(found)
            assert (row["question"], row["answer"]) == (one.question, said.text)
            assert row["weighed"] == list(said.probabilities)
            np.testing.assert_allclose(
                row["probabilities"], list(said.probabilities.values()), rtol=0, atol=1e-6
            )


@pytest.mark.slow
@pytest.mark.parametrize("system", SEARCHES)
def test_the_shipped_bundle_is_reported_as_it_answers(system, real_data, tmp_path):
    bundle, index = REPOSITORY / "assets" / "bundle", REPOSITORY / "index" / "simulated"
    report = tmp_path / "report.json"
    evaluate_task(
        "breast", real_data, "val", bundle, index, ["rag", "joint"], NUM_CASES, report, silent
    )
    engine = load_engine(bundle, index)
    from jomed_app.data.corpus import load_corpus

    folder, records = load_corpus(engine.task, real_data, ["val"])
    found, compared = predicted(report, system), 0
    for record in records[:NUM_CASES]:
        said = answered(engine, folder / record.image, SEARCHES[system])
        if said is not None:
            np.testing.assert_allclose(found[record.case_id], said, rtol=0, atol=1e-6)
            compared += 1
    assert compared >= 25
