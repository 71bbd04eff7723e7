from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from jomed_app.data.records import read_records, write_records
from jomed_app.errors import ConfigError, RecordError
from jomed_app.evaluation.evaluate import evaluate_task
from jomed_app.evaluation.report.build import read_report
from jomed_app.evaluation.report.predictions import read_predictions
from jomed_app.evaluation.split_reader import SplitReader, without_marks
from jomed_app.evaluation.systems import SYSTEMS
from jomed_app.imaging import read_image
from jomed_app.inference.load import load_bundle, load_engine
from jomed_app.retrieval.build import build_index
from tests.few_trials import RESAMPLES, few_trials
from tests.tiny_bundle import write_tiny_corpus, write_tiny_index

NEW = "phyllodes"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight fresh cases and, in another split, one case of the index itself."""
    folder = tmp_path_factory.mktemp("evaluated")
    records = write_tiny_corpus(folder, 8, seed=9)
    write_records(
        folder,
        [
            record.model_copy(update={"split": "val" if place < 6 else "test"})
            for place, record in enumerate(records)
        ],
    )
    return folder


@pytest.fixture(scope="module")
def evaluate(tiny_bundle, tiny_index, tmp_path_factory):
    """Evaluate with the tiny bundle; returns the report and its file."""

    def call(data, split="val", systems=None, limit=None, task="breast", index=tiny_index, **more):
        out = tmp_path_factory.mktemp("report") / "deep" / "report.json"
        steps = []
        with few_trials():
            values = evaluate_task(
                task, data, split, tiny_bundle, index, systems, limit, out,
                lambda done, total, **_: steps.append((done, total)), "fp32", **more,
            )  # fmt: skip
        return values, out, steps

    return call


@pytest.fixture(scope="module")
def evaluated(evaluate, data):
    return evaluate(data)


def test_all_systems_are_scored_side_by_side(evaluated):
    values, out, steps = evaluated
    report = read_report(out)
    assert tuple(report.systems) == SYSTEMS
    assert (report.n, report.split, report.task) == (6, "val", "breast")
    assert report.num_resamples == RESAMPLES
    assert report.bundle == "tiny 1"
    assert report.index == "tiny index"
    assert report.labels == ("normal", "benign", "malignant")
    assert {each.first for each in report.differences} == {"rag"}
    assert steps == [(place, 6) for place in range(1, 7)]
    assert values["systems"]["rag"]["accuracy"] == report.systems["rag"].accuracy


def test_only_the_reader_beside_candidates_has_states_and_boxes(evaluated):
    values, *_ = evaluated
    assert values["systems"]["rag"]["error_rates"]
    assert values["systems"]["rag"]["parse_rate"] is not None
    assert values["systems"]["knn"]["inconsistent_rate"] is None


def test_the_same_call_gives_the_same_figures(evaluate, evaluated, data):
    first, second = evaluated[0], evaluate(data)[0]
    for values in (first, second):
        for figures in values["systems"].values():
            figures.pop("seconds_per_case", None)
    assert first == second


def test_systems_and_cases_can_be_chosen(evaluate, data):
    values, *_ = evaluate(data, systems=["knn", "backbone"], limit=2)
    assert list(values["systems"]) == ["backbone", "knn"]
    assert values["n"] == 2
    assert values["differences"] == []


def test_a_growing_index_is_a_curve(evaluate, data, tiny_index):
    """The last point is the report itself; a case read once more says the same."""
    wanted = ["knn", "rag", "image_alone"]
    values, out, steps = evaluate(data, systems=wanted, limit=3, index_sizes=[4, 2])
    whole = len(pq.read_table(tiny_index / "candidates.parquet"))
    assert [point["cases"] for point in values["curve"]] == [2, 4, whole]
    assert steps[-1] == (9, 9)
    last = values["curve"][-1]["systems"]
    assert set(last) == set(wanted)
    for name in wanted:
        assert last[name]["accuracy"] == values["systems"][name]["accuracy"]
    few = read_predictions(out.with_suffix(".2.json")).to_pylist()
    assert len(few) == 9
    assert {len(row["candidate_labels"]) for row in few if row["system"] == "rag"} <= {1, 2}
    alone = [
        [row["probabilities"] for row in rows if row["system"] == "image_alone"]
        for rows in (few, read_predictions(out).to_pylist())
    ]
    assert alone[0] == alone[1]
    assert evaluate(data, systems=wanted, limit=3)[0]["curve"] == []


def test_text_and_marks_can_be_painted_over(evaluate, data, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "jomed_app.evaluation.split_reader.without_marks",
        lambda image: seen.append(image.shape) or np.zeros_like(image),
    )
    masked, *_ = evaluate(data, systems=["backbone"], limit=2, masks=True)
    assert (masked["is_masked"], len(seen)) == (True, 2)
    plain, *_ = evaluate(data, systems=["backbone"], limit=2)
    assert (plain["is_masked"], len(seen)) == (False, 2)


def test_marks_are_painted_over():
    image = np.full((96, 96, 3), 40, dtype=np.uint8)
    image[40:49, 44], image[44, 40:49] = (255, 255, 0), (255, 255, 0)
    assert without_marks(image).max() < 100
    plain = np.full((96, 96, 3), 40, dtype=np.uint8)
    assert (without_marks(plain) == plain).all()


def test_several_splits_are_one_list(evaluate, data):
    assert evaluate(data, split="val, test", systems=["knn"])[0]["n"] == 8


def test_the_baseline_is_the_head_that_the_bundle_carries(evaluate, data, tiny_bundle):
    values, *_ = evaluate(data, systems=["backbone"])
    parts = load_bundle(tiny_bundle, "fp32")
    records = [each for each in read_records(data) if each.split == "val"]
    images = [read_image(data / each.image).model_input for each in records]
    features = parts.retriever.features(parts.retriever.tower_tokens(images))
    truth = [parts.task.labels.index(each.label) for each in records]
    accuracy = np.mean(parts.backbone.log_prob(features).argmax(-1) == truth)
    assert values["systems"]["backbone"]["accuracy"] == pytest.approx(accuracy)


def test_a_case_of_the_index_is_never_its_own_candidate(evaluate, tiny_corpus, tmp_path):
    """Every label of the corpus is told by the nearest case, were the case itself not left out."""
    folder, records = tiny_corpus
    copy = [each.model_copy(update={"split": "val"}) for each in records]
    shutil.copytree(folder / "images", tmp_path / "images")
    write_records(tmp_path, copy)
    values, *_ = evaluate(tmp_path, systems=["knn", "rag"], limit=5)
    assert values["systems"]["rag"]["label_agreement_at_k"] < 1
    assert values["n"] == 5


def test_an_unknown_system_is_refused_before_anything_is_read(tmp_path):
    absent = tmp_path / "absent"
    with pytest.raises(ConfigError, match=r"systems must be among .*found \['jointly'\]"):
        evaluate_task(
            "breast", absent, "val", absent, absent, ["rag", "jointly"], None, absent, print
        )


OTHER_TASK = """
name = "echo"
title = "Echogenicity"
question = "How bright is the image?"
labels = ["dark", "light"]
positive_label = "light"
has_boxes = false
"""


@pytest.fixture
def other_task(tmp_path):
    path = tmp_path / "echo.toml"
    path.write_text(OTHER_TASK)
    return path


def test_the_linear_head_of_another_task_is_refused(evaluate, data, other_task):
    with pytest.raises(ConfigError, match=r"answers the task 'breast', asked for was 'echo'"):
        evaluate(data, task=str(other_task), systems=["backbone"])


def test_an_index_of_other_labels_is_refused(evaluate, data, other_task):
    with pytest.raises(ConfigError, match=r"labels \['dark', 'light'\], found \['benign'"):
        evaluate(data, task=str(other_task))


def test_adversarial_candidates_are_never_of_the_query_s_class(evaluate, data):
    figures = evaluate(data, systems=["adversarial_candidates", "rag"])[0]["systems"]
    assert figures["adversarial_candidates"]["label_agreement_at_k"] == 0.0
    assert figures["rag"]["label_agreement_at_k"] > 0.0


@pytest.fixture
def one_label_index(tiny_corpus, tiny_bundle, tmp_path):
    """An index in which nothing is of another class."""
    folder, records = tiny_corpus
    benign = [each for each in records if each.label == "benign"]
    retriever = load_bundle(tiny_bundle, "fp32").retriever
    build_index(benign, folder, retriever, tmp_path / "index", name="benign")
    return tmp_path / "index"


def test_an_index_of_one_label_misleads_nobody(data, tiny_bundle, one_label_index, tmp_path):
    def call(systems):
        return evaluate_task(
            "breast", data, "val", tiny_bundle, one_label_index, systems, 2,
            tmp_path / "report.json", lambda *steps, **figures: None,
        )  # fmt: skip

    assert "adversarial_candidates" not in call(None)["systems"]
    with pytest.raises(ConfigError, match=r"two labels or more, found \['benign'\]"):
        call(["adversarial_candidates"])


def test_a_label_of_the_index_alone_is_answered_by_the_vote(
    evaluate, data, tiny_corpus, tiny_bundle, tmp_path
):
    """Benign cases are given a name that the bundle never heard, in the index and in the split."""
    folder, records = tiny_corpus

    def renamed(each):
        return each.model_copy(update={"label": NEW if each.label == "benign" else each.label})

    write_tiny_index(tmp_path / "index", tiny_bundle, folder, list(map(renamed, records)))
    shutil.copytree(data / "images", tmp_path / "cases" / "images")
    write_records(tmp_path / "cases", [*map(renamed, read_records(data))])
    values, *_ = evaluate(tmp_path / "cases", "val,test", index=tmp_path / "index")
    assert values["labels"][-1] == NEW
    recall = {name: system["recall"] for name, system in values["systems"].items()}
    assert "benign" not in recall["rag"]
    for name in ("backbone", "image_alone"):
        assert recall[name][NEW] == 0.0, "nothing was trained on it"
    engine = load_engine(tiny_bundle, tmp_path / "index", precision="fp32")
    parts = load_bundle(tiny_bundle, "fp32")
    reader = SplitReader(parts, engine.index, engine.task, is_own=True)
    answered = 0
    for record in read_records(tmp_path / "cases"):
        *_, done = engine.run(read_image(tmp_path / "cases" / record.image), retrieval="standard")
        if said := list(done.result.final.probabilities.values()):  # the tiny bundle refuses some
            rag = reader.score(tmp_path / "cases", record, ("rag",)).systems["rag"]
            np.testing.assert_allclose(rag.probabilities, said, atol=1e-4)
            answered += 1
    assert answered > 1


def test_an_empty_split_is_refused(evaluate, data):
    with pytest.raises(RecordError, match=r"no case of split \['train'\]; the corpus has"):
        evaluate(data, split="train")


def test_the_report_is_plain_json(evaluated):
    values, out, _ = evaluated
    assert json.loads(out.read_text())["systems"].keys() == values["systems"].keys()
