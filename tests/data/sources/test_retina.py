"""RetinaMNIST: bytes in a table become records, passages that measure, groups of twins."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from jomed_app.data.corpus import load_corpus
from jomed_app.data.sources.retina import (
    GRADES,
    RETINA_FOLDER,
    fundus_passage,
    read_retina,
    twin_groups,
)
from jomed_app.data.tasks import load_task
from jomed_app.errors import RecordError


def fundus(seed=0, *, brightness=100, disc=0, spots=0):
    """A round orange field lit from one side, with an optic disc and small bright spots."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28] - 13.5
    image = np.zeros((28, 28, 3))
    field = x**2 + y**2 < 12**2
    image[field] = np.array([1.6, 1.0, 0.5]) * brightness
    light = 2 * (np.cos(seed) * x + np.sin(seed) * y) + rng.normal(0, 3, (28, 28))
    image += (field * light)[..., None]
    image[12:16, 18:22] += disc
    for place in rng.permutation(np.argwhere(x**2 + y**2 < 9**2))[:spots]:
        image[tuple(place)] += spots and 60
    return image.clip(0, 255).astype(np.uint8)


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def write_table(root, images, labels, **fields):
    folder = root / RETINA_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    count = len(labels)
    columns = {
        "split": ["train"] * (count - 1) + ["val"],
        "index": list(range(count)),
        "label": labels,
        "png": images,
        **fields,
    }
    pd.DataFrame(columns).to_parquet(folder / f"{RETINA_FOLDER}.parquet")
    return root


@pytest.fixture
def data(tmp_path):
    """Five images, one of each grade."""
    return write_table(tmp_path, [png(fundus(seed)) for seed in range(5)], [0, 1, 2, 3, 4])


def test_rows_become_records(data):
    folder, records = read_retina(data)
    assert [record.label for record in records] == list(GRADES)
    assert [record.split for record in records] == ["train"] * 4 + ["val"]
    assert records[3].case_id == "retina-train-0003"
    assert (records[0].rows, records[0].columns) == (28, 28)
    assert len({record.group for record in records}) == 5
    shown = np.asarray(Image.open(folder / records[2].image))
    np.testing.assert_array_equal(shown, fundus(2))


def test_files_are_named_by_row_only_and_written_once(data):
    folder, records = read_retina(data)
    assert sorted(path.name for path in folder.iterdir()) == [f"{row:05d}.png" for row in range(5)]
    assert read_retina(data)[0] == folder
    assert folder.stat().st_mode & 0o077 == 0
    assert not folder.is_relative_to(data)
    assert records[0].image == "00000.png"


def test_a_changed_table_is_extracted_anew(data):
    first = read_retina(data)[0]
    write_table(data, [png(fundus(9)), png(fundus(8))], [4, 0])
    os.utime(data / RETINA_FOLDER / f"{RETINA_FOLDER}.parquet", ns=(1, 1))
    second, records = read_retina(data)
    assert second != first
    np.testing.assert_array_equal(np.asarray(Image.open(second / records[0].image)), fundus(9))


def test_the_folder_is_gone_when_the_program_ends(data):
    code = (
        "import sys; from pathlib import Path\n"
        "from jomed_app.data.sources.retina import read_retina\n"
        "folder = read_retina(Path(sys.argv[1]))[0]; assert folder.is_dir(); print(folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(data)], capture_output=True, text=True, check=True
    )
    assert "jomed-retina-" in done.stdout
    assert not Path(done.stdout.strip()).exists()


def test_the_task_reads_the_set(data):
    task = load_task("retina")
    assert task.labels == GRADES
    assert len({label.split()[0] for label in task.labels}) == len(task.labels)
    assert not task.has_boxes
    assert [record.case_id for record in load_corpus(task, data, ["val"])[1]] == ["retina-val-0004"]


def test_passages_follow_the_pixels_and_name_no_grade():
    dark, bright = fundus_passage(fundus(brightness=50)), fundus_passage(fundus(brightness=140))
    assert "image, dark," in dark
    assert "image, bright," in bright
    assert "hardly stands out" in dark
    assert "strongly stands out" in fundus_passage(fundus(disc=120))
    assert "Few bright" in fundus_passage(fundus())
    assert "Many bright" in fundus_passage(fundus(spots=90))
    for grade in GRADES:
        assert grade not in f"{dark} {bright}".casefold()


def test_the_rim_of_the_field_says_nothing():
    wide = np.pad(fundus(), ((6, 6), (6, 6), (0, 0)))
    assert fundus_passage(wide) == fundus_passage(fundus())


def test_a_black_image_has_a_passage():
    passage = fundus_passage(np.zeros((28, 28, 3), np.uint8))
    assert passage.startswith("Fundus image, dark, yellowish hue.")


def test_twins_form_one_group_whatever_the_light():
    first, other = fundus(1, disc=90), fundus(2, disc=90)
    twin = np.clip(first.astype(float) * 0.9 + 4, 0, 255).astype(np.uint8)
    groups = twin_groups([first, np.flip(other, 1), twin])
    assert groups[0] == groups[2] != groups[1]


def test_images_of_one_color_have_no_twin():
    plain = np.full((28, 28, 3), 7, np.uint8)
    assert len(set(twin_groups([plain, plain, fundus()]))) == 3


def test_twins_share_a_group_across_grades_and_splits(tmp_path):
    twin = png(fundus(1))
    data = write_table(tmp_path, [twin, png(np.flip(fundus(2, disc=120), 1)), twin], [0, 1, 4])
    groups = [record.group for record in read_retina(data)[1]]
    assert groups[0] == groups[2] != groups[1]


@pytest.mark.parametrize("grade", [5, -1])
def test_an_unknown_grade_is_refused(tmp_path, grade):
    data = write_table(tmp_path, [png(fundus())], [grade])
    with pytest.raises(RecordError, match="a grade must be 0 to 4, found another in row 0"):
        read_retina(data)


def test_broken_bytes_are_refused(tmp_path):
    data = write_table(tmp_path, [png(fundus()), b"nothing"], [0, 1])
    with pytest.raises(RecordError, match="row 1 must hold a PNG image"):
        read_retina(data)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(RecordError, match=r"requires retinamnist28\.parquet"):
        read_retina(tmp_path)


def test_the_real_set(real_data):
    folder, records = load_corpus(load_task("retina"), real_data, ["train", "val"])
    assert len(records) == 1200
    assert sum(record.split == "val" for record in records) == 120
    assert {record.label for record in records} == set(GRADES)
    assert len({record.passage for record in records}) > 50
    assert (folder / records[-1].image).is_file()
