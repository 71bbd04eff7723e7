"""Corpora: folders of records, labels of a task, folds that tear no group."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.data.corpus import assign_folds, corpus_hash, load_corpus
from jomed_app.data.records import AskedQuestion, CaseRecord, read_records, write_records
from jomed_app.data.tasks import load_task, task_from_dict
from jomed_app.errors import RecordError


@pytest.fixture(scope="module")
def task():
    return load_task("breast")


def make_record(number, label="benign", group="", split="train"):
    return CaseRecord(
        case_id=f"c{number}",
        image=f"{number}.png",
        label=label,
        passage="A mass.",
        group=group,
        split=split,
        rows=8,
        columns=9,
    )


@pytest.fixture
def data(tmp_path):
    """A folder with a case of two splits each."""
    write_records(tmp_path, [make_record(1), make_record(2, split="val")])
    return tmp_path


def test_splits_are_chosen(task, data):
    assert len(load_corpus(task, data)[1]) == 2
    assert [record.split for record in load_corpus(task, data, ["val"])[1]] == ["val"]


def test_a_split_that_is_not_there_is_said(task, data):
    with pytest.raises(RecordError, match=r"no case of split \['test'\].* \['train', 'val'\]"):
        load_corpus(task, data, ["test"])


def test_labels_must_be_the_tasks(task, tmp_path):
    write_records(tmp_path, [make_record(1, label="cyst")])
    with pytest.raises(RecordError, match="case 'c1' has 'cyst'"):
        load_corpus(task, tmp_path)


VALUES = {"name": "t", "title": "T", "question": "?", "labels": ["a", "b"], "positive_label": "b"}


def test_a_fact_can_be_the_label_and_cases_without_one_are_left_out(tmp_path):
    facts = [{"organ": "x"}, {"organ": "b"}, {"organ": "y"}, {}, {"organ": "x", "seen": "no"}]
    write_records(
        tmp_path,
        [
            make_record(number).model_copy(update={"provenance": {"seen": "yes", **each}})
            for number, each in enumerate(facts)
        ],
    )
    task = task_from_dict(
        {**VALUES, "label_field": "organ", "label_names": {"x": "a"}, "keep": {"seen": "yes"}}
    )
    found = {record.case_id: record.label for record in load_corpus(task, tmp_path)[1]}
    assert found == {"c0": "a", "c1": "b"}


def test_labels_can_be_named_anew(tmp_path):
    write_records(tmp_path, [make_record(1, "benign"), make_record(2, "b"), make_record(3, "c")])
    task = task_from_dict({**VALUES, "label_names": {"benign": "a"}})
    assert [record.label for record in load_corpus(task, tmp_path)[1]] == ["a", "b"]


def test_an_open_task_takes_any_label(tmp_path):
    write_records(tmp_path, [make_record(1, "anything")])
    task = task_from_dict({"name": "t", "title": "T", "question": "?", "kind": "open"})
    assert load_corpus(task, tmp_path)[1][0].label == "anything"


@pytest.mark.parametrize("name", ["medpix_modality", "medpix_location", "medpix_diagnosis"])
def test_the_real_medpix_tasks(real_data, name):
    task = load_task(name)
    _, records = load_corpus(task, real_data, ["train", "val"])
    assert {record.label for record in records} == set(task.labels)
    assert all(record.provenance["in_vqa_rad"] == "no" for record in records)
    assert len(records) > 1000


def test_an_empty_folder_is_said(tmp_path):
    values = {"name": "t", "title": "T", "question": "?", "labels": ["a", "b"]}
    task = task_from_dict({**values, "positive_label": "a"})
    with pytest.raises(RecordError, match=r"records.jsonl, annotations.json .* found none for"):
        load_corpus(task, tmp_path)


def test_the_hash_knows_cases_but_no_order():
    records = [make_record(1), make_record(2)]
    assert corpus_hash(records) == corpus_hash(records[::-1])
    assert corpus_hash(records) != corpus_hash([make_record(1), make_record(2, label="normal")])
    assert corpus_hash(records) != corpus_hash(records[:1])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 25), min_size=40, max_size=80), st.integers(2, 4))
def test_no_group_is_torn(groups, num_folds):
    records = [
        make_record(number, ("benign", "normal")[group % 2], f"g{group}")
        for number, group in enumerate([*groups, *range(26)])
    ]
    folds = assign_folds(records, num_folds, seed=0)
    assert set(folds) == set(range(num_folds))
    by_group = {}
    for record, fold in zip(records, folds, strict=True):
        assert by_group.setdefault(record.group, fold) == fold


def test_every_fold_has_each_labels_share():
    records = [make_record(i, ("benign", "benign", "malignant")[i % 3]) for i in range(60)]
    folds = assign_folds(records, 5, seed=1)
    for fold in range(5):
        labels = [r.label for r, place in zip(records, folds, strict=True) if place == fold]
        assert len(labels) == 12
        assert labels.count("malignant") == 4
    assert (assign_folds(records, 5, seed=1) == folds).all()
    assert (assign_folds(records, 5, seed=2) != folds).any()


def test_a_record_without_questions_is_written_and_hashed_as_ever(tmp_path):
    plain = make_record(1)
    assert "questions" not in plain.model_dump()
    assert "questions" not in plain.model_dump_json()
    asked = plain.model_copy(update={"questions": (AskedQuestion(question="?", answer="no"),)})
    write_records(tmp_path, [asked])
    assert read_records(tmp_path) == [asked]
    assert corpus_hash([asked]) != corpus_hash([plain])
