"""Kvasir-SEG: a made-up table becomes records; twins stay on one side."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from jomed_app.boxes import Box
from jomed_app.data.corpus import load_corpus
from jomed_app.data.sources.kvasir import KVASIR_FOLDER, read_kvasir
from jomed_app.data.tasks import load_task
from jomed_app.errors import RecordError
from tests.data.formats.boxed_images import draw_image


def row(name, split="train", boxes=((0.0, 0.0, 9.0, 9.0),), masks=((1.0, 1.0, 9.0, 8.0),)):
    boxes, masks = ([list(box) for box in found] for found in (boxes, masks))
    return {"image": f"images/{name}.jpg", "split": split, "boxes": boxes, "mask_boxes": masks,
            "w": 40, "h": 30}  # fmt: skip


ROWS = [
    row("a", masks=[[1.0, 1.0, 5.0, 5.0], [10.0, 10.0, 40.3, 30.4]]),
    row("b", split="val"),
    row("c"),
    row("d", masks=[]),
]


@pytest.fixture
def data(tmp_path):
    write_set(tmp_path, ROWS)
    return tmp_path


def write_set(data, rows):
    folder = data / KVASIR_FOLDER
    seeds = {"a": 1, "b": 2, "c": 2, "d": 3}  # c is a twin of b
    for each in rows:
        path = folder / each["image"]
        draw_image(path, 40, 30, seeds[path.stem])
    pd.DataFrame(rows).to_parquet(folder / f"{KVASIR_FOLDER}.parquet")


def test_a_table_becomes_records(data):
    folder, (first, second, third, fourth) = read_kvasir(data)
    assert folder == data / KVASIR_FOLDER
    assert (first.case_id, first.label, first.image) == ("kvasir-a", "polyp", "images/a.jpg")
    assert first.box_list == [Box(10, 10, 40, 30), Box(1, 1, 5, 5)]  # of the masks, cut, sorted
    assert first.box_labels == ()
    assert (first.rows, first.columns) == (30, 40)
    assert fourth.box_list == [Box(0, 0, 9, 9)]  # without a mask the published box
    assert second.group == third.group != first.group
    splits = [record.split for record in (first, second, third, fourth)]
    assert splits == ["train", "val", "twin", "train"]


def test_the_passage_is_of_the_boxes(data):
    assert read_kvasir(data)[1][0].passage.startswith("2 polyps, the largest: lower third, center")


def test_the_corpus_loader_knows_the_set(data):
    _, records = load_corpus(load_task("polyp"), data, ["train"])
    assert [record.case_id for record in records] == ["kvasir-a", "kvasir-d"]


def test_what_is_missing_is_said(tmp_path, data):
    with pytest.raises(RecordError, match=f"requires {KVASIR_FOLDER}.parquet"):
        read_kvasir(tmp_path / "elsewhere")
    (data / KVASIR_FOLDER / "images" / "c.jpg").unlink()
    with pytest.raises(RecordError, match="row 2 must name an image that can be read"):
        read_kvasir(data)


def test_a_box_outside_its_image_is_refused(tmp_path):
    write_set(tmp_path, [row("a", masks=[[1.0, 1.0, 60.0, 9.0]])])
    with pytest.raises(RecordError, match="image of 40 x 30 px, row 0 of kvasir_seg"):
        read_kvasir(tmp_path)


def test_the_real_set(real_data):
    if not (real_data / KVASIR_FOLDER).is_dir():
        pytest.skip("the polyp set is not here; set JOMED_DATA to its folder")
    folder, records = load_corpus(load_task("polyp"), real_data, ["train", "val", "twin"])
    assert Counter(record.split for record in records) == {"train": 700, "val": 102, "twin": 1}
    sides = {}
    for record in records:
        assert record.boxes
        for box in record.box_list:
            assert box.clipped(record.columns, record.rows) == box
        if record.split != "twin":
            assert sides.setdefault(record.group, record.split) == record.split
    assert all((folder / record.image).is_file() for record in records[::50])
