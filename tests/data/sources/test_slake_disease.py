"""SLAKE disease boxes: a made-up table becomes records for localization."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from jomed_app.boxes import Box
from jomed_app.data.corpus import load_corpus
from jomed_app.data.sources.slake import SLAKE_FOLDER
from jomed_app.data.sources.slake_disease import read_slake_disease
from jomed_app.data.tasks import load_task
from jomed_app.errors import RecordError
from tests.data.formats.boxed_images import draw_image


def row(name, split="train", *marked):
    return {
        "image": f"images/{name}.png",
        "split": split,
        "box_names": [name for name, _, _ in marked],
        "boxes": [box for _, box, _ in marked],
        "is_disease": [is_disease for _, _, is_disease in marked],
        "w": 40,
        "h": 30,
    }


ROWS = [
    row("a", "train", ("Liver", [0.0, 0.0, 40.0, 30.0], False),
        ("Nodule", [1.0, 1.0, 4.0, 4.0], True), ("Brain Edema", [5.0, 5.0, 30.0, 20.0], True)),
    row("b", "validation", ("Lung", [0.0, 0.0, 20.0, 20.0], False)),
    row("c", "train", ("Rare Thing", [0.0, 0.0, 20.0, 20.0], True)),
]  # fmt: skip


def write_set(data, rows):
    folder = data / SLAKE_FOLDER
    seeds = {"a": 1, "b": 2, "c": 2}  # c is a twin of b
    for each in rows:
        path = folder / each["image"]
        draw_image(path, 40, 30, seeds[path.stem])
    pd.DataFrame(rows).to_parquet(folder / f"{SLAKE_FOLDER}.parquet")


@pytest.fixture
def data(tmp_path):
    write_set(tmp_path, ROWS)
    return tmp_path


def test_disease_boxes_become_records(data):
    folder, (first, second, third) = read_slake_disease(data)
    assert folder == data / SLAKE_FOLDER
    assert (first.case_id, first.label) == ("slake-a", "brain edema")
    assert first.box_list == [Box(5, 5, 30, 20), Box(1, 1, 4, 4)]
    assert first.box_labels == ("brain edema", "nodule")
    assert (second.label, second.boxes) == ("no disease box", ())
    assert (third.label, third.box_labels) == ("other disease", ())
    assert [record.split for record in (first, second, third)] == ["train", "val", "twin"]
    assert second.group == third.group


def test_the_corpus_loader_knows_the_set(data):
    _, records = load_corpus(load_task("slake_disease"), data, ["val"])
    assert [record.case_id for record in records] == ["slake-b"]


def test_a_box_outside_its_image_is_refused(tmp_path):
    write_set(tmp_path, [row("a", "train", ("Mass", [1.0, 1.0, 60.0, 9.0], True))])
    with pytest.raises(RecordError, match="image of 40 x 30 px, row 0 of slake"):
        read_slake_disease(tmp_path)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(RecordError, match=f"requires {SLAKE_FOLDER}.parquet"):
        read_slake_disease(tmp_path)


def test_the_real_set(real_data):
    if not (real_data / SLAKE_FOLDER).is_dir():
        pytest.skip("SLAKE is not here; set JOMED_DATA to its folder")
    task = load_task("slake_disease")
    _, records = load_corpus(task, real_data, ["train", "val", "twin"])
    assert Counter(record.split for record in records) == {"train": 388, "val": 96, "twin": 62}
    labels = {record.label for record in records}
    assert labels == set(task.labels) - {"other disease"}
    assert sum(bool(record.boxes) for record in records) == 298
    assert any(len(set(record.box_labels)) > 1 for record in records)
