"""HAM10000: a made-up table becomes records; a lesion is a group; the passage hides the label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jomed_app.boxes import Box
from jomed_app.data.corpus import assign_folds, load_corpus
from jomed_app.data.sources.ham10000 import HAM10000_FOLDER, LABELS, lesion_passage, read_ham10000
from jomed_app.data.tasks import load_task
from jomed_app.errors import BoxError, RecordError


def row(number, label="nv", split="train", group=None, **changes):
    return {
        "image": f"images/ISIC_{number:07d}.jpg",
        "split": split,
        "group": group or f"HAM_{number}",
        "label": label,
        "dx_type": "histo",
        "age": 45.0,
        "sex": "male",
        "localization": "back",
        "boxes": [[20.0, 30.0, 120.0, 90.0]],
        "w": 200,
        "h": 150,
    } | changes


def write_set(data, rows):
    folder = data / HAM10000_FOLDER
    folder.mkdir()
    pd.DataFrame(rows).to_parquet(folder / f"{HAM10000_FOLDER}.parquet")
    return data


def test_a_table_becomes_records(tmp_path):
    data = write_set(tmp_path, [row(1, "mel"), row(2, split="val")])
    folder, (first, second) = read_ham10000(data)
    assert folder == data / HAM10000_FOLDER
    assert (first.case_id, first.label) == ("ham-ISIC_0000001", "melanoma")
    assert (first.rows, first.columns, first.box_list) == (150, 200, [Box(20, 30, 120, 90)])
    assert (second.label, second.split, second.group) == ("nevus", "val", "HAM_2")
    assert "non-commercial" in first.provenance["licence"]


def test_the_passage_by_hand():
    assert lesion_passage(row(1), [Box(20, 30, 120, 90)]) == (
        "Pigmented skin lesion of the back, 20 % of the image, male, age 40 to 59, "
        "diagnosed by histology."
    )


def test_what_is_not_said_is_left_out():
    silent = row(1, age=float("nan"), sex="unknown", localization="unknown", dx_type="unknown")
    assert lesion_passage(silent, []) == "Pigmented skin lesion."


@pytest.mark.parametrize("label", LABELS)
def test_the_passage_is_the_same_for_every_label(label, tmp_path):
    _, (record,) = read_ham10000(write_set(tmp_path, [row(1, label)]))
    assert record.label == LABELS[label]
    assert record.passage == lesion_passage(row(1), [Box(20, 30, 120, 90)])


def test_images_of_a_lesion_stay_on_one_side(tmp_path):
    rows = [row(number, group=f"HAM_{number // 3}") for number in range(30)]
    _, records = read_ham10000(write_set(tmp_path, rows))
    folds = assign_folds(records, 5, seed=0)
    for group in {record.group for record in records}:
        members = [place for place, record in enumerate(records) if record.group == group]
        assert len(np.unique(folds[members])) == 1


def test_the_task_reads_the_set_and_has_its_seven_classes(tmp_path):
    data = write_set(tmp_path, [row(n, label) for n, label in enumerate(LABELS)])
    task = load_task("derma")
    _, records = load_corpus(task, data)
    assert [record.label for record in records] == list(task.labels) == list(LABELS.values())
    first_words = [label.split()[0] for label in task.labels]
    assert len(set(first_words)) == len(first_words)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"label": "scar"}, RecordError, "must be one of"),
        ({"boxes": [[0.0, 0.0, 400.0, 90.0]]}, RecordError, "row 0"),
        ({"boxes": [[50.0, 30.0, 20.0, 90.0]]}, BoxError, "box"),
    ],
)
def test_a_wrong_row_is_one_sentence(tmp_path, change, error, words):
    with pytest.raises(error, match=words):
        read_ham10000(write_set(tmp_path, [row(1, **change)]))


def test_a_missing_field_is_named(tmp_path):
    rows = [{key: value for key, value in row(1).items() if key != "age"}]
    with pytest.raises(RecordError, match="age"):
        read_ham10000(write_set(tmp_path, rows))
