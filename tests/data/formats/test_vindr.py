"""VinDr-style tables: readers are merged by class; every fault is one sentence."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.data.corpus import load_corpus
from jomed_app.data.formats.coco import COCO_FILE
from jomed_app.data.formats.vindr import VINDR_FILE, merge_readers, read_vindr
from jomed_app.errors import RecordError
from tests.data.formats.boxed_images import chest_task, draw_image

COLUMNS = ["image_id", "class_name", "rad_id", "x_min", "y_min", "x_max", "y_max"]
LINES = [
    ("001", "Mass", "R1", 10, 10, 30, 30),
    ("001", "Mass", "R2", 12, 10, 32, 30),
    ("001", "Effusion", "R2", 12, 10, 32, 31),
    ("001", "No finding", "R3", None, None, None, None),
    ("002", "No finding", "R1", None, None, None, None),
]


def write_table(data, lines=LINES, columns=COLUMNS, **more):
    pd.DataFrame(lines, columns=columns).assign(**more).to_csv(data / VINDR_FILE, index=False)


@pytest.fixture
def data(tmp_path):
    draw_image(tmp_path / "001.png", 50, 40)
    draw_image(tmp_path / "images" / "002.jpg", 30, 30)
    write_table(tmp_path)
    return tmp_path


def test_a_table_becomes_records(data):
    folder, (first, second) = read_vindr(data, chest_task())
    assert folder == data
    assert (first.case_id, first.image, first.label) == ("vindr-001", "001.png", "Effusion")
    assert first.box_list == [Box(12, 10, 32, 31), Box(11, 10, 31, 30)]
    assert first.box_labels == ("Effusion", "Mass")
    assert first.provenance["box_readers"] == "1; 2"
    assert first.provenance["num_readers"] == "3"
    assert (first.rows, first.columns) == (40, 50)
    assert (second.image, second.label, second.boxes) == ("images/002.jpg", "No finding", ())
    assert "box_readers" not in second.provenance


def test_the_corpus_loader_finds_the_table(data):
    write_table(data, split="val", group="p1")
    folder, records = load_corpus(chest_task(), data, ["val"])
    assert folder == data
    assert [record.group for record in records] == ["p1", "p1"]


def test_two_formats_in_one_folder_are_refused(data):
    (data / COCO_FILE).write_text("{}")
    with pytest.raises(RecordError, match=r"must hold one of .* found both; remove one"):
        load_corpus(chest_task(), data)


def test_a_single_reader_needs_no_column_and_nothing_is_merged(data):
    lines = [line[:2] + line[3:] for line in LINES]
    write_table(data, lines, [name for name in COLUMNS if name != "rad_id"])
    assert len(read_vindr(data, chest_task())[1][0].boxes) == 3


def test_an_image_may_be_named_with_its_ending(data):
    write_table(data, [("001.png", *LINES[0][1:])])
    assert read_vindr(data, chest_task())[1][0].image == "001.png"


def test_a_stated_size_stands_in_for_a_header(data):
    (data / "003.dcm").write_bytes(b"not opened")
    write_table(data, [("003", *LINES[0][1:])], width=64, height=48)
    record = read_vindr(data, chest_task())[1][0]
    assert (record.image, record.rows, record.columns) == ("003.dcm", 48, 64)
    write_table(data, [("003", *LINES[0][1:])])
    with pytest.raises(RecordError, match="row 0 must have a size"):
        read_vindr(data, chest_task())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("009", *LINES[0][1:]), "found no file for line 2 of annotations.csv"),
        (("", *LINES[0][1:]), "line 2 of annotations.csv names another"),
        (("001", "Cyst", "R1", 1, 1, 2, 2), "line 2 of annotations.csv has 'Cyst'; rename"),
        (("001", "Mass", "R1", 1, 1, 1, 2), "min below max, line 2 .* has .1.0, 1.0, 1.0, 2.0"),
        (("001", "Mass", "R1", 1, None, 5, 2), "as numbers, min below max, line 2"),
        (("001", "Mass", "R1", 1, "left", 5, 2), "as numbers, min below max, line 2"),
        (("001", "Mass", "R1", 1, 1, 52, 2), "image of 50 x 40 px, line 2 of annotations.csv"),
        (("001", "No finding", "R1", 1, 1, 5, 2), "'No finding' must have no coordinates, line 2"),
    ],
)
def test_every_fault_is_one_sentence(data, line, said):
    write_table(data, [line])
    with pytest.raises(RecordError, match=said) as caught:
        read_vindr(data, chest_task())
    assert "\n" not in str(caught.value)


def test_a_size_that_is_not_the_files_is_refused(data):
    write_table(data, LINES[:1], width=500, height=400)
    with pytest.raises(RecordError, match=r"line 2 of annotations.csv states 500 x 400 px"):
        read_vindr(data, chest_task())


def test_no_finding_needs_an_empty_label(data):
    with pytest.raises(RecordError, match="requires a box on every image, case 'vindr-002'"):
        read_vindr(data, chest_task(can_be_empty=False))


def test_missing_columns_and_tables_are_said(tmp_path):
    with pytest.raises(RecordError, match=r"VinDr data must hold annotations.csv, found none"):
        read_vindr(tmp_path, chest_task())
    write_table(tmp_path, [("1", "Mass")], ["image_id", "class_name"])
    with pytest.raises(RecordError, match=r"found none named \['x_min', 'y_min', 'x_max', 'y_max"):
        read_vindr(tmp_path, chest_task())
    (tmp_path / VINDR_FILE).write_text("")
    with pytest.raises(RecordError, match="must be a table separated by commas"):
        read_vindr(tmp_path, chest_task())


def test_merging_by_hand():
    near, shifted, far = Box(0, 0, 10, 10), Box(2, 0, 12, 10), Box(20, 0, 25, 5)
    assert merge_readers([("a", near), ("b", shifted), ("c", far)]) == [
        (Box(1, 0, 11, 10), 2),
        (far, 1),
    ]
    # overlap of 8/12 is too little for a bound of 0.7, and one reader's boxes stay apart
    assert len(merge_readers([("a", near), ("b", shifted)], 0.7)) == 2
    assert len(merge_readers([("a", near), ("a", shifted)])) == 2
    assert merge_readers([]) == []


def test_a_box_joins_the_cluster_that_it_overlaps_most():
    wide, left, box = Box(0, 0, 12, 10), Box(0, 0, 10, 10), Box(0, 0, 9, 10)
    assert merge_readers([("a", wide), ("a", left), ("b", box)]) == [
        (wide, 1),
        (Box(0, 0, 9.5, 10), 2),
    ]


@pytest.mark.parametrize("bound", [0.0, -1.0, 1.5])
def test_the_bound_must_be_a_share(bound):
    with pytest.raises(ValueError, match=rf"must lie in \(0, 1\], found {bound}"):
        merge_readers([], bound)


corners = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))
marks = st.lists(
    st.tuples(
        st.sampled_from("abc"), corners.map(lambda c: Box(c[0], c[1], c[0] + c[2], c[1] + c[3]))
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(marks, st.floats(0.1, 1))
def test_every_mark_counts_once(marked, bound):
    merged = merge_readers(marked, bound)
    assert sum(readers for _, readers in merged) == len(marked)
    assert all(1 <= readers <= 3 for _, readers in merged)
    areas = [box.area for box, _ in merged]
    assert areas == sorted(areas, reverse=True)
    if len({box.area for _, box in marked}) == len(marked):
        assert merge_readers(marked[::-1], bound) == merged
