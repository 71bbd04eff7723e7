"""Corpora: a made-up public table, folders of records, folds that tear no group."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.data.corpus import (
    BUSI_FOLDER,
    assign_folds,
    box_passage,
    corpus_hash,
    load_corpus,
    read_busi,
)
from jomed_app.data.records import AskedQuestion, CaseRecord, read_records, write_records
from jomed_app.data.tasks import load_task, task_from_dict
from jomed_app.errors import RecordError

ROWS = [
    {
        "image": "images/train_000.jpg",
        "split": "train",
        "index": 0,
        "busi_class": "benign",
        "boxes": [[10.0, 10.0, 30.0, 20.0], [40.0, 30.0, 90.0, 70.0]],
        "w": 100,
        "h": 80,
        "group": 7,
    },
    {
        "image": "images/val_012.jpg",
        "split": "val",
        "index": 12,
        "busi_class": "normal",
        "boxes": [],
        "w": 120,
        "h": 90,
        "group": 8,
    },
]


@pytest.fixture(scope="module")
def task():
    return load_task("breast")


@pytest.fixture
def data(tmp_path):
    """A data root with the made-up set."""
    folder = tmp_path / BUSI_FOLDER
    folder.mkdir()
    pd.DataFrame(ROWS).to_parquet(folder / f"{BUSI_FOLDER}.parquet")
    return tmp_path


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


def test_the_public_table_becomes_records(data):
    folder, records = read_busi(data)
    assert folder == data / BUSI_FOLDER
    first, second = records
    assert first.case_id == "busi-train-000"
    assert (first.rows, first.columns) == (80, 100)
    assert first.boxes[0] == (40.0, 30.0, 90.0, 70.0)  # the largest comes first
    assert first.group == "busi-7"
    assert second.case_id == "busi-val-012"
    assert second.boxes == ()
    assert second.label == "normal"


def test_the_passage_never_names_the_class(data):
    for record in read_busi(data)[1]:
        assert record.label not in record.passage
        assert "malignant" not in record.passage


def test_the_sets_own_folder_will_do(data):
    assert read_busi(data / BUSI_FOLDER)[1] == read_busi(data)[1]


def test_without_groups_every_case_stands_alone(data):
    table = data / BUSI_FOLDER / f"{BUSI_FOLDER}.parquet"
    pd.read_parquet(table).drop(columns="group").to_parquet(table)
    assert [record.group for record in read_busi(data)[1]] == ["busi-train-000", "busi-val-012"]


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(RecordError, match=f"requires {BUSI_FOLDER}.parquet .* found none"):
        read_busi(tmp_path)


def test_missing_fields_are_named(data):
    table = data / BUSI_FOLDER / f"{BUSI_FOLDER}.parquet"
    pd.read_parquet(table).drop(columns=["boxes", "h"]).to_parquet(table)
    with pytest.raises(RecordError, match=r"found none named \['boxes', 'h'\]"):
        read_busi(data)


def test_splits_are_chosen(task, data):
    assert len(load_corpus(task, data)[1]) == 2
    assert [record.split for record in load_corpus(task, data, ["val"])[1]] == ["val"]


def test_a_split_that_is_not_there_is_said(task, data):
    with pytest.raises(RecordError, match=r"no case of split \['test'\].* \['train', 'val'\]"):
        load_corpus(task, data, ["test"])


def test_a_folder_of_records_comes_before_a_public_set(task, data):
    write_records(data, [make_record(1)])
    folder, records = load_corpus(task, data)
    assert folder == data
    assert [record.case_id for record in records] == ["c1"]


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


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (Box(0, 0, 20, 10), "Mass, parallel orientation, left, superficial, 20 % of the width."),
        (Box(45, 40, 55, 60), "Mass, vertical orientation, central, middle depth, 10 % of the"),
        (Box(80, 90, 100, 99), "Mass, parallel orientation, right, deep, 20 % of the width."),
    ],
)
def test_a_box_in_words(box, words):
    assert box_passage([box], 100, 100).startswith(words)


def test_counts_in_words():
    assert box_passage([], 100, 100) == "No focal mass."
    two = [Box(0, 0, 20, 10), Box(50, 50, 60, 60)]
    assert box_passage(two, 100, 100).startswith("2 masses, parallel orientation, left")


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


def test_the_real_set(real_data, task):
    if not (real_data / BUSI_FOLDER).is_dir():
        pytest.skip("the breast set is not here; set JOMED_DATA to its folder")
    folder, records = load_corpus(task, real_data, ["train", "val"])
    assert len(records) == 624
    assert len({record.group for record in records}) < len(records)
    for record in records:
        assert (record.label == "normal") == (not record.boxes)
        for box in record.box_list:
            assert min(box.x0, box.y0) >= 0
            assert box.x1 <= record.columns
            assert box.y1 <= record.rows
    assert all((folder / record.image).is_file() for record in records[::50])


def test_a_record_without_questions_is_written_and_hashed_as_ever(tmp_path):
    plain = make_record(1)
    assert "questions" not in plain.model_dump()
    assert "questions" not in plain.model_dump_json()
    asked = plain.model_copy(update={"questions": (AskedQuestion(question="?", answer="no"),)})
    write_records(tmp_path, [asked])
    assert read_records(tmp_path) == [asked]
    assert corpus_hash([asked]) != corpus_hash([plain])
