"""VQA-RAD: a made-up set becomes records; held out by image, test questions apart."""

from __future__ import annotations

import pandas as pd
import pytest

from jomed_app.data.corpus import load_corpus
from jomed_app.data.sources.vqa_rad import (
    QUESTIONS_FILE,
    VQA_RAD_FOLDER,
    held_out_split,
    read_vqa_rad,
)
from jomed_app.data.tasks import load_task
from jomed_app.errors import RecordError

IMAGES = [{"image": f"images/synpic{number}.jpg", "w": 60, "h": 40} for number in range(3)]
QUESTIONS = [
    (0, "Is the heart enlarged?", "No", "CLOSED", "train", "CHEST"),
    (0, "What plane is this?", "PA", "OPEN", "train", "CHEST"),
    (0, "Is there a pneumothorax?", "yes", "CLOSED", "test", "CHEST"),
    (1, "Is the brain normal?", "Yes", "CLOSED", "train", "HEAD"),
]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / VQA_RAD_FOLDER
    folder.mkdir()
    pd.DataFrame(IMAGES).to_parquet(folder / f"{VQA_RAD_FOLDER}.parquet")
    names = ["image", "question", "answer", "answer_type", "split", "organ"]
    rows = [(IMAGES[number]["image"], *rest) for number, *rest in QUESTIONS]
    pd.DataFrame(rows, columns=names).to_parquet(folder / QUESTIONS_FILE)
    return tmp_path


def test_an_image_is_a_record_with_its_questions(data):
    folder, records = read_vqa_rad(data)
    assert folder == data / VQA_RAD_FOLDER
    assert [record.case_id for record in records] == [
        "vqarad-synpic0",
        "vqarad-synpic0-test",
        "vqarad-synpic1",
    ]
    first = records[0]
    assert (first.rows, first.columns, first.label) == (40, 60, "chest")
    assert [(one.answer, one.is_closed) for one in first.questions] == [("No", True), ("PA", False)]
    assert "Plane: PA." in first.passage


def test_test_questions_are_apart_but_of_the_same_group(data):
    first, asked_in_test, _ = read_vqa_rad(data)[1]
    assert asked_in_test.split == "test"
    assert asked_in_test.group == first.group == "synpic0"
    assert "pneumothorax" not in first.passage.casefold()
    assert first.split == held_out_split("synpic0.jpg")


def test_the_side_hangs_on_the_name_alone_and_holds_a_fifth_out():
    sides = [held_out_split(f"image{number}.jpg") for number in range(2000)]
    assert sides == [held_out_split(f"image{number}.jpg") for number in range(2000)]
    assert 0.17 < sides.count("val") / 2000 < 0.23
    assert set(sides) == {"train", "val"}


def test_a_missing_table_is_named(data):
    (data / VQA_RAD_FOLDER / QUESTIONS_FILE).unlink()
    with pytest.raises(RecordError, match=r"requires vqa_rad_qa\.parquet"):
        read_vqa_rad(data)


def test_the_real_set(real_data):
    _, records = load_corpus(load_task("vqa_rad"), real_data, ["train", "val"])
    sides = {}
    for record in records:
        assert sides.setdefault(record.group, record.split) == record.split
    assert sum(len(record.questions) for record in records) > 3000
    assert 0.1 < sum(record.split == "val" for record in records) / len(records) < 0.3
