"""BUSI as BreastMNIST selects it: a made-up table, and the real one where it lies here."""

from __future__ import annotations

import pandas as pd
import pytest

from jomed_app.boxes import Box
from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import write_records
from jomed_app.data.sources.busi import BUSI_FOLDER, box_passage, read_busi
from jomed_app.data.tasks import load_task
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


@pytest.fixture
def data(tmp_path):
    """A data root with the made-up set."""
    folder = tmp_path / BUSI_FOLDER
    folder.mkdir()
    pd.DataFrame(ROWS).to_parquet(folder / f"{BUSI_FOLDER}.parquet")
    return tmp_path


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


def test_the_sets_reader_is_found_by_the_tasks_name(data):
    assert load_corpus(load_task("breast"), data)[1] == read_busi(data)[1]


def test_a_folder_of_records_comes_before_the_set(data):
    own = read_busi(data)[1][0].model_copy(update={"case_id": "c1"})
    write_records(data, [own])
    folder, records = load_corpus(load_task("breast"), data)
    assert folder == data
    assert [record.case_id for record in records] == ["c1"]


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


def test_the_real_set(real_data):
    if not (real_data / BUSI_FOLDER).is_dir():
        pytest.skip("the breast set is not here; set JOMED_DATA to its folder")
    folder, records = load_corpus(load_task("breast"), real_data, ["train", "val"])
    assert len(records) == 624
    assert len({record.group for record in records}) < len(records)
    for record in records:
        assert (record.label == "normal") == (not record.boxes)
        for box in record.box_list:
            assert min(box.x0, box.y0) >= 0
            assert box.x1 <= record.columns
            assert box.y1 <= record.rows
    assert all((folder / record.image).is_file() for record in records[::50])
