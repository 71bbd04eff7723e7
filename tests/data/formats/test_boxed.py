"""What boxed data share: records from boxes, borders, image files."""

from __future__ import annotations

import pytest
from PIL import Image

from jomed_app.boxes import Box
from jomed_app.data.formats.boxed import (
    BoxedImage,
    boxed_record,
    check_image_size,
    checked_box,
    empty_label,
    find_image,
    region_passage,
)
from jomed_app.errors import RecordError
from tests.data.formats.boxed_images import chest_task, draw_image

SMALL, LARGE = Box(0, 0, 10, 10), Box(50, 60, 90, 90)


def make_image(*boxes, **changes):
    return BoxedImage("c1", "1.png", rows=100, columns=100, boxes=boxes, **changes)


def test_the_largest_box_names_the_case():
    record = boxed_record(chest_task(), make_image(("Effusion", SMALL), ("Mass", LARGE)))
    assert record.label == "Mass"
    assert record.box_list == [LARGE, SMALL]
    assert record.box_labels == ("Mass", "Effusion")


def test_boxes_of_one_class_need_no_names():
    record = boxed_record(chest_task(), make_image(("Mass", SMALL), ("Mass", LARGE)))
    assert record.box_labels == ()
    assert record.box_list == [LARGE, SMALL]


def test_an_image_without_a_box_is_empty():
    record = boxed_record(chest_task(), make_image(split="val", group="p7"))
    assert (record.label, record.boxes, record.box_labels) == ("No finding", (), ())
    assert (record.split, record.group) == ("val", "p7")
    assert record.passage == "No finding is marked."


def test_a_written_passage_stays():
    record = boxed_record(chest_task(), make_image(("Mass", SMALL), passage="Seen at the apex."))
    assert record.passage == "Seen at the apex."


def test_classes_must_be_the_tasks():
    with pytest.raises(RecordError, match=r"one of \['Mass', 'Effusion'\], case 'c1' has 'Cyst'"):
        boxed_record(chest_task(), make_image(("Cyst", SMALL)))
    with pytest.raises(RecordError, match="has 'No finding'; rename it or add it"):
        boxed_record(chest_task(), make_image(("No finding", SMALL)))


def test_a_task_may_require_a_box_on_every_image():
    with pytest.raises(RecordError, match="requires a box on every image, case 'c1' has none"):
        boxed_record(chest_task(can_be_empty=False), make_image())
    with pytest.raises(RecordError, match="add empty_labels to the task"):
        empty_label(chest_task(can_be_empty=False), "image 3")


def test_rounding_over_the_border_is_cut_off():
    assert checked_box(Box(-0.4, 2, 10.9, 8), 10, 8, "here") == Box(0, 2, 10, 8)
    assert checked_box(Box(1, 2, 9, 8), 10, 8, "here") == Box(1, 2, 9, 8)


@pytest.mark.parametrize("box", [Box(0, 0, 11.1, 8), Box(-1.1, 0, 5, 5), Box(10.2, 0, 10.8, 5)])
def test_a_box_outside_its_image_is_refused(box):
    with pytest.raises(RecordError, match=r"must lie on its image of 10 x 8 px, line 3 has \("):
        checked_box(box, 10, 8, "line 3")


def test_images_are_found_in_the_folder_or_in_images(tmp_path):
    draw_image(tmp_path / "a.png", 4, 4)
    draw_image(tmp_path / "images" / "b.png", 4, 4)
    assert find_image(tmp_path, "a.png", "here") == "a.png"
    assert find_image(tmp_path, "b.png", "here") == "images/b.png"
    assert find_image(tmp_path, "images/b.png", "here") == "images/b.png"
    with pytest.raises(RecordError, match="found no file for image 3; add it or remove"):
        find_image(tmp_path, "c.png", "image 3")


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.png", "x/../../a.png", ""])
def test_a_path_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(RecordError, match="inside the data folder, image 3 names another"):
        find_image(tmp_path, name, "image 3")


def test_a_stated_size_must_be_the_files(tmp_path):
    draw_image(tmp_path / "a.png", 40, 20)
    check_image_size(tmp_path, "a.png", 40, 20, "line 2")
    with pytest.raises(RecordError, match="line 2 states 80 x 40 px, the file has 40 x 20"):
        check_image_size(tmp_path, "a.png", 80, 40, "line 2")
    (tmp_path / "b.dcm").write_bytes(b"no raster")
    check_image_size(tmp_path, "b.dcm", 80, 40, "line 2")


def test_a_turned_image_counts_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    check_image_size(tmp_path, "a.jpg", 20, 40, "line 2")
    with pytest.raises(RecordError, match="the file has 20 x 40"):
        check_image_size(tmp_path, "a.jpg", 40, 20, "line 2")


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ([], "No polyp is marked."),
        ([SMALL], "Polyp: upper third, left third of the image, 1 % of its area."),
        ([LARGE, SMALL], "2 polyps, the largest: lower third, right third of the image, 12 % of"),
        ([Box(49, 49, 51, 51)], "middle third, center third of the image, less than 1 % of"),
        ([Box(99, 99, 100, 100)], "lower third, right third"),
    ],
)
def test_boxes_in_words(boxes, words):
    assert words in region_passage("polyp", boxes, 100, 100)
