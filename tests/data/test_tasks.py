"""Task definitions: what ships, what a user writes, what is refused."""

from __future__ import annotations

import pytest

from jomed_app.data.tasks import FOLDER, load_task, task_from_dict, task_of_bundle
from jomed_app.errors import RecordError
from jomed_app.simulator import simulate_case

SMALL = {
    "name": "t",
    "title": "T",
    "question": "?",
    "labels": ["a", "b"],
    "positive_label": "b",
}


def test_the_breast_task():
    task = load_task("breast")
    assert task.labels == ("normal", "benign", "malignant")
    assert task.labels[task.positive_index] == "malignant"
    assert task.empty_labels == ("normal",)
    assert task.descriptors["orientation"] == ("parallel", "vertical")


@pytest.mark.parametrize("kind", ["cyst", "fibroadenoma", "carcinoma", "normal"])
def test_simulated_cases_speak_the_tasks_words(kind):
    task = load_task("breast")
    record = simulate_case(3, kind, size_px=96).record
    assert record.label in task.labels
    assert bool(record.descriptors) == (record.label not in task.empty_labels)
    for name, value in record.descriptors.items():
        assert value in task.descriptors[name]
    assert list(record.descriptors) in ([], list(task.descriptors))


def test_answer_words_do_not_repeat():
    task = task_from_dict({**SMALL, "descriptors": {"x": ["a", "p"], "y": ["p", "q"]}})
    assert task.answer_words == ("a", "b", "p", "q")


def test_a_task_comes_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "t"\ntitle = "T"\nquestion = "?"\nlabels = ["a", "b"]\n'
                    'positive_label = "b"\n')  # fmt: skip
    assert load_task(path) == task_from_dict(SMALL)
    assert load_task(str(path)).positive_index == 1


def test_an_open_task_has_no_labels():
    task = task_from_dict({"name": "t", "title": "T", "kind": "open", "question": "?"})
    assert task.is_open
    assert task.labels == task.answer_words == ()
    assert not task_from_dict(SMALL).is_open


def test_a_task_reads_the_set_of_its_name_unless_it_says_another():
    assert task_from_dict(SMALL).corpus_name == "t"
    assert task_from_dict({**SMALL, "corpus": "set"}).corpus_name == "set"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_task_that_ships_loads_and_begins_its_labels_differently(path):
    task = load_task(path.stem)
    assert task.name == path.stem
    if path.stem == "slake_disease":
        return  # it is for finding boxes; no reader says its labels
    firsts = [label.split()[0] for label in task.labels]
    assert len(set(firsts)) == len(firsts)


def test_an_unknown_task_names_the_known():
    with pytest.raises(RecordError, match=r"must be one of \['breast'.*found 'chest'"):
        load_task("chest")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"path of a \.toml file, found '.*mine\.toml'"):
        load_task(tmp_path / "mine.toml")


def test_broken_toml_is_said(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("labels = [")
    with pytest.raises(RecordError, match=r"'mine.toml' must be valid TOML"):
        load_task(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": ["a"]}, "at least two different names"),
        ({"labels": ["b", "b"]}, "at least two different names"),
        ({"positive_label": "c"}, "'c' must be one of the labels"),
        ({"index_only": ["a"]}, "index_only must name the last labels, not all of them"),
        ({"index_only": ["a", "b"]}, "index_only must name the last labels, not all of them"),
        ({"empty_labels": ["d"]}, "'d' must be one of the labels"),
        ({"label_names": {"x": "c"}}, "'c' must be one of the labels"),
        ({"kind": "open"}, "an open task must have no labels and no descriptors"),
        ({"kind": "wide"}, "kind: Input should be 'closed' or 'open'"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"title": 3}, "title: Input should be a valid string"),
    ],
)
def test_contradictions_are_refused(change, said):
    with pytest.raises(RecordError, match=f"a task must follow the schema: .*{said}"):
        task_from_dict({**SMALL, **change})


def test_a_missing_field_is_named():
    values = {name: value for name, value in SMALL.items() if name != "question"}
    with pytest.raises(RecordError, match="question: Field required"):
        task_from_dict(values)


def test_every_value_of_a_breast_finding_has_words_for_a_report():
    task = load_task("breast")
    assert list(task.report.descriptors) == list(task.descriptors)
    for name, said in task.report.descriptors.items():
        assert set(said.words) <= set(task.descriptors[name])
    assert set(task.report.suggested) == set(task.labels)


def test_a_bundle_that_was_sealed_before_takes_the_words_of_its_task():
    values = load_task("breast").model_dump(exclude={"report"})
    assert task_of_bundle(values).report == load_task("breast").report
    assert task_of_bundle({**values, "descriptors": {"shape": ["oval"]}}).report is None


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({"descriptors": {"hue": {"title": "Hue"}}}, "must be one of the task's descriptors"),
        ({"suggested": {"c": "1"}, "categories": ["1"]}, "suggests a category of the scale"),
        ({"suggested": {"a": "7"}, "categories": ["1"]}, "suggests a category of the scale"),
    ],
)
def test_words_of_a_report_that_fit_no_task_are_refused(report, words):
    with pytest.raises(RecordError, match=words):
        task_from_dict({**SMALL, "report": {"title": "T", **report}})
