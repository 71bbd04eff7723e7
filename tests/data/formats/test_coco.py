"""COCO files: made-up images and annotations become records; every fault is one sentence."""

from __future__ import annotations

import json

import pytest

from jomed_app.boxes import Box
from jomed_app.data.corpus import load_corpus
from jomed_app.data.formats.coco import COCO_FILE, read_coco
from jomed_app.errors import RecordError
from tests.data.formats.boxed_images import chest_task, draw_image


def write_coco(data, **changes):
    content = {
        "info": {"description": "passed over"},
        "images": [
            {"id": 7, "file_name": "a.png", "width": 40, "height": 20, "split": "train",
             "group": "p1", "caption": " A film. "},
            {"id": 8, "file_name": "b.png", "width": 30, "height": 30, "split": "val"},
            {"id": 9, "file_name": "b.png", "width": 30, "height": 30},
        ],
        "categories": [
            {"id": 1, "name": "Mass", "supercategory": "x"}, {"id": 2, "name": "Effusion"},
            {"id": 0, "name": "unused"},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [10, 5, 20, 10], "area": 200},
            {"id": 3, "image_id": 7, "category_id": 1, "bbox": [0, 0, 40, 20], "iscrowd": 1},
            {"id": 4, "image_id": 9, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        ],
    }  # fmt: skip
    (data / COCO_FILE).write_text(json.dumps(content | changes), encoding="utf-8")


def annotation(**changes):
    return [{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]} | changes]


def image(**changes):
    return {"id": 7, "file_name": "a.png", "width": 40, "height": 20} | changes


@pytest.fixture
def data(tmp_path):
    draw_image(tmp_path / "a.png", 40, 20)
    draw_image(tmp_path / "images" / "b.png", 30, 30)
    write_coco(tmp_path)
    return tmp_path


def test_a_file_becomes_records(data):
    folder, (first, second) = read_coco(data, chest_task())
    assert folder == data
    assert (first.case_id, first.image, first.label) == ("coco-7", "a.png", "Mass")
    assert first.box_list == [Box(10, 5, 30, 15), Box(1, 2, 4, 6)]
    assert first.box_labels == ("Mass", "Effusion")
    assert (first.rows, first.columns) == (20, 40)
    assert (first.split, first.group, first.passage) == ("train", "p1", "A film.")
    assert (second.case_id, second.image) == ("coco-8", "images/b.png")
    assert (second.label, second.boxes) == ("No finding", ())


def test_an_image_of_crowds_alone_is_left_out(data):
    assert [record.case_id for record in read_coco(data, chest_task())[1]] == ["coco-7", "coco-8"]


def test_the_corpus_loader_finds_the_file(data):
    folder, records = load_corpus(chest_task(), data, ["val"])
    assert (folder, [record.case_id for record in records]) == (data, ["coco-8"])


def test_without_an_empty_label_every_image_needs_a_box(data):
    with pytest.raises(RecordError, match="requires a box on every image, case 'coco-8' has none"):
        read_coco(data, chest_task(can_be_empty=False))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"annotations": annotation(category_id=5)}, "annotation 0 .* names the unknown 5"),
        ({"annotations": annotation(category_id=0)}, "annotation 0 of .* has 'unused'; rename"),
        ({"annotations": annotation(image_id=5)}, "annotation 0 of annotations.json names none"),
        ({"annotations": annotation(bbox=[1, 2, 0, 4])}, "width and height above 0, annotation 0"),
        ({"annotations": annotation(bbox=[30, 2, 12, 4])}, r"image of 40 x 20 px, annotation 0"),
        ({"annotations": annotation(bbox=[1, 2, 3])}, r"annotations.0.bbox.*: Field required"),
        ({"annotations": [{"image_id": 7}]}, "annotations.0.category_id: Field required"),
        ({"categories": 3}, "format: categories: Input should be a valid"),
        ({"images": [image(width=0)]}, "images.0.width: Input should be greater than 0"),
        ({"images": [image(file_name="c.png")], "annotations": []},
         "found no file for image 7 of annotations.json"),
        ({"images": [image(width=80, height=40)], "annotations": []},
         "image 7 of annotations.json states 80 x 40 px, the file has 40 x 20"),
        ({"images": [image()] * 2, "annotations": []},
         "one entry per image id"),
    ],
)  # fmt: skip
def test_every_fault_is_one_sentence(data, changes, said):
    write_coco(data, **changes)
    with pytest.raises(RecordError, match=said) as caught:
        read_coco(data, chest_task())
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_broken_json_are_said(tmp_path):
    with pytest.raises(RecordError, match=r"COCO data must hold annotations.json, found none"):
        read_coco(tmp_path, chest_task())
    (tmp_path / COCO_FILE).write_text("{")
    with pytest.raises(RecordError, match="COCO detection format: file: Invalid JSON"):
        read_coco(tmp_path, chest_task())
