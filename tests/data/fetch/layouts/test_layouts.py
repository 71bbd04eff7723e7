"""Every set in its published layout, drawn tiny, becomes cases that the app reads."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from jomed_app.data.corpus import load_corpus
from jomed_app.data.fetch.catalogue import load_set
from jomed_app.data.fetch.get import ABOUT_FILE, LAYOUTS, get_set
from jomed_app.data.tasks import load_task
from jomed_app.errors import FetchError
from tests.data.formats.boxed_images import draw_image


def mask(path, columns, rows, *boxes):
    """A mask, bright within (x0, y0, x1, y1)."""
    pixels = np.zeros((rows, columns), np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def busi(folder):
    top = folder / "Dataset_BUSI_with_GT"
    draw_image(top / "benign" / "benign (1).png", 60, 40, 1)
    mask(top / "benign" / "benign (1)_mask.png", 60, 40, (10, 5, 30, 20))
    mask(top / "benign" / "benign (1)_mask_1.png", 60, 40, (40, 10, 59, 39))
    draw_image(top / "benign" / "benign (10).png", 60, 40, 1, gain=0.5)
    mask(top / "benign" / "benign (10)_mask.png", 50, 40, (1, 1, 9, 9))
    draw_image(top / "malignant" / "malignant (1).png", 50, 40, 2)
    mask(top / "malignant" / "malignant (1)_mask.png", 50, 40, (5, 5, 25, 15), (40, 30, 41, 31))
    draw_image(top / "normal" / "normal (1).png", 50, 40, 3)
    mask(top / "normal" / "normal (1)_mask.png", 50, 40)
    (top / "normal" / "normal (2).png").write_bytes(b"no image")


def medmnist(name, labels):
    def write(folder):
        random = np.random.default_rng(0)
        arrays = {}
        for split, count in (("train", 3), ("val", 2), ("test", 2)):
            arrays[f"{split}_images"] = random.integers(0, 255, (count, 28, 28, 3), np.uint8)
            arrays[f"{split}_labels"] = (np.arange(count) % labels).reshape(-1, 1)
        if name == "breastmnist":
            arrays = {key: a[..., 0] if "images" in key else a for key, a in arrays.items()}
        np.savez_compressed(folder / f"{name}_224.npz", **arrays)

    return write


def ham10000(folder):
    lines = ["lesion_id\timage_id\tdx\tdx_type\tage\tsex\tlocalization\tdataset"]
    for place, (lesion, dx, age) in enumerate([("L1", "nv", "45"), ("L1", "nv", "45"),
                                               ("L2", "mel", "")]):  # fmt: skip
        name = f"ISIC_{place:07d}"
        draw_image(folder / f"part_{place % 2 + 1}" / f"{name}.jpg", 60, 45, place)
        lines.append(f"{lesion}\t{name}\t{dx}\thisto\t{age}\tmale\tback\tx")
    lines.append("L3\tISIC_0000009\tnv\thisto\t1\tmale\tback\tx")
    mask(folder / "seg" / "ISIC_0000002_segmentation.png", 60, 45, (10, 10, 50, 40))
    (folder / "HAM10000_metadata.tab").write_text("\n".join(lines))


def kvasir(folder):
    top = folder / "Kvasir-SEG"
    stated = {}
    for place, stem in enumerate(("cju0a", "cju0b", "cju0c")):
        draw_image(top / "images" / f"{stem}.jpg", 60, 40, place)
        stated[stem] = {"height": 40, "width": 60, "bbox": [
            {"label": "polyp", "xmin": 10, "ymin": 5, "xmax": 30, "ymax": 20}]}  # fmt: skip
    mask(top / "masks" / "cju0a.jpg", 60, 40, (16, 8, 40, 24))
    (top / "kavsir_bboxes.json").write_text(json.dumps(stated))


def slake(folder):
    for place, name in enumerate(("xmlab0", "xmlab1", "xmlab2")):
        draw_image(folder / "imgs" / name / "source.jpg", 60, 40, place)
        named = [{"Liver": [10, 5, 20, 10]}, {"Liver Cancer": [12, 6, 4, 4]}]
        (folder / "imgs" / name / "detection.json").write_text(json.dumps(named))
    for place, split in enumerate(("train", "validation", "test")):
        one = {"img_name": f"xmlab{place}/source.jpg", "question": "Is liver seen?",
               "answer": "Yes", "q_lang": "en", "answer_type": "CLOSED", "content_type": "Organ",
               "location": "Abdomen", "modality": "CT"}  # fmt: skip
        both = [one, one | {"q_lang": "zh", "question": "?"}]
        (folder / f"{split}.json").write_text(json.dumps(both))


def vqa_rad(folder):
    images = folder / "VQA_RAD Image Folder"
    asked = []
    for place, phrase in enumerate(("freeform", "test_para")):
        draw_image(images / f"synpic{place}.jpg", 60, 40, place)
        asked.append({"image_name": f"synpic{place}.jpg", "image_organ": "CHEST",
                      "phrase_type": phrase, "question": "Is there a mass?", "answer": "No",
                      "answer_type": "CLOSED ", "question_type": "PRES", "qid": place})  # fmt: skip
    (folder / "VQA_RAD Dataset Public.json").write_text(json.dumps(asked))


def medpix(folder):
    told, cases = [], []
    for place in (1, 7, 9):  # the first stands in VQA-RAD, the last lacks its image
        name, case = f"MPX{place}_synpic{place}", f"MPX{place}"
        if place < 9:
            draw_image(folder / "images" / f"{name}.png", 60, 40, place)
        told.append({"Type": "CT", "U_id": case, "image": name, "Location": "Chest",
                     "Location Category": "Thorax", "Description": {
                         "Caption": "A nodule.", "Modality": "CT", "Plane": "Axial",
                         "Age": "60", "Sex": "female"}})  # fmt: skip
        cases.append({"U_id": case, "TAC": [name], "MRI": [],
                      "Case": {"Case Diagnosis": "Nodule", "Findings": None, "Title": "Nodule"},
                      "Topic": {"Category": "Neoplasm", "Disease Discussion": None}})  # fmt: skip
    (folder / "Descriptions.json").write_text(json.dumps(told))
    (folder / "data_train.jsonl").write_text("\n".join(map(json.dumps, cases[:1])))
    (folder / "data_dev.jsonl").write_text("\n".join(map(json.dumps, cases[1:])))


def roco(folder):
    for split in ("train", "valid", "test"):
        name = f"ROCOv2_2023_{split}_000001"
        draw_image(folder / split / f"{name}.jpg", 60, 40, len(split))
        pd.DataFrame({"ID": [name, "x"], "Caption": ["CT of the chest.", "?"]}).to_csv(
            folder / f"{split}_captions.csv", index=False)  # fmt: skip
        pd.DataFrame({"ID": [name, "x"], "CUIs": ["C0040405;C0000001", ""]}).to_csv(
            folder / f"{split}_concepts_manual.csv", index=False)  # fmt: skip


def path_vqa(folder):
    draw_image(folder / "a.png", 40, 40, 1)
    draw_image(folder / "b.png", 40, 40, 2)
    one, other = (
        {"bytes": (folder / name).read_bytes(), "path": name} for name in ("a.png", "b.png")
    )
    for split, images in (("train", [one, one]), ("validation", [other])):
        rows = {"image": images, "question": ["Is it a liver?"] * len(images),
                "answer": ["yes"] * len(images)}  # fmt: skip
        pd.DataFrame(rows).to_parquet(folder / f"{split}-00000-of-00001-abc.parquet")


OFFICIAL = {
    "busi": (busi, 4, "breast"),
    "breastmnist": (medmnist("breastmnist", 2), 7, "breastmnist"),
    "dermamnist": (medmnist("dermamnist", 7), 7, "derma"),
    "retinamnist": (medmnist("retinamnist", 5), 7, "retina"),
    "ham10000": (ham10000, 3, "derma"),
    "kvasir_seg": (kvasir, 3, "polyp"),
    "slake": (slake, 3, "slake"),
    "vqa_rad": (vqa_rad, 2, "vqa_rad"),
    "medpix2": (medpix, 1, "medpix_modality"),
    "roco_v2": (roco, 3, "roco_modality"),
    "path_vqa": (path_vqa, 2, "path_vqa"),
}


@pytest.fixture
def got(tmp_path):
    """Draw a set as published, get it, and return its note, folder and records by case id."""

    def get(name):
        published = tmp_path / "published"
        published.mkdir()
        draw, _, task = OFFICIAL[name]
        draw(published)
        if name == "medpix2":
            vqa_rad(beside := tmp_path / "beside")
            get_set(load_set("vqa_rad"), tmp_path / "data", accepted=True, given=beside)
        note = get_set(load_set(name), tmp_path / "data", accepted=True, given=published)
        folder, records = load_corpus(load_task(task), tmp_path / "data" / name)
        assert all((folder / record.image).is_file() for record in records)
        return note, folder, {record.case_id: record for record in records}

    return get


def test_every_set_that_ships_is_drawn_here():
    assert {load_set(name).layout for name in OFFICIAL} == set(LAYOUTS)


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_published_layout_becomes_cases(got, name):
    note, folder, records = got(name)
    assert len(records) == OFFICIAL[name][1]
    assert note.cases >= len(records) - 1
    assert (folder / ABOUT_FILE).is_file() or name == "retinamnist"
    for record in records.values():
        assert record.passage
        assert record.group


def test_busi_has_boxes_twins_and_says_what_was_left_out(got):
    note, _, records = got("busi")
    first = records["busi-benign-001"]
    assert first.boxes == ((40, 10, 59, 39), (10, 5, 30, 20))
    assert first.group == records["busi-benign-010"].group != records["busi-malignant-001"].group
    assert records["busi-benign-010"].boxes == ()
    assert records["busi-malignant-001"].boxes == ((5, 5, 25, 15),), "a speck is no lesion"
    assert records["busi-normal-001"].passage == "No focal mass."
    assert note.twins == 2
    assert note.left_out == {
        "image that cannot be read": 1,
        "mask of another size, its image kept without it": 1,
    }
    assert first.provenance["licence"] == note.licence


def test_medmnist_keeps_its_splits_and_pixels(got, tmp_path):
    _, folder, records = got("dermamnist")
    record = records["dermamnist-val-00001"]
    assert (record.split, record.label) == ("val", "basal cell carcinoma")
    with np.load(tmp_path / "published" / "dermamnist_224.npz") as arrays:
        expected = arrays["val_images"][1]
    np.testing.assert_array_equal(np.asarray(Image.open(folder / record.image)), expected)


def test_ham10000_is_grouped_by_lesion_and_has_boxes(got):
    note, _, records = got("ham10000")
    first, second, third = (records[f"ham-ISIC_000000{place}"] for place in range(3))
    assert first.group == second.group == "L1"
    assert third.boxes == ((10, 10, 50, 40),)
    assert ", age" not in third.passage
    assert note.left_out == {"image that is missing or cannot be read": 1}


def test_kvasir_prefers_masks(got):
    _, _, records = got("kvasir_seg")
    assert records["kvasir-cju0a"].boxes == ((16, 8, 40, 24),)
    assert records["kvasir-cju0b"].boxes == ((10, 5, 30, 20),)


def test_slake_knows_diseases_from_organs(got, tmp_path):
    _, folder, records = got("slake")
    record = records["slake-xmlab0"]
    assert record.provenance["box_is_disease"] == "no; yes"
    assert record.boxes[0] == (10, 5, 30, 15)
    assert [len(each.questions) for each in records.values()] == [1, 1, 1]
    assert {each.split for each in records.values()} == {"train", "val", "test"}
    _, found = load_corpus(load_task("slake_disease"), folder)
    assert {each.label for each in found} == {"liver cancer"}


def test_vqa_rad_parts_its_test_questions(got):
    _, _, records = got("vqa_rad")
    assert [record.split == "test" for record in records.values()] == [False, True]
    assert records["vqarad-synpic1-test"].questions[0].is_closed


def test_medpix_leaves_out_what_vqa_rad_holds(got):
    note, _, records = got("medpix2")
    (record,) = records.values()
    assert record.case_id == "medpix-MPX7_synpic7"
    assert (record.split, record.label) == ("val", "CT")
    assert note.cases == 2
    assert note.left_out == {"image or case that is missing": 1}


def test_roco_is_labelled_by_its_manual_concepts(got):
    note, _, records = got("roco_v2")
    assert {record.label for record in records.values()} == {"CT"}
    assert note.left_out == {"no caption, or not one modality": 3}


def test_rows_of_one_image_are_one_case(got):
    _, _, records = got("path_vqa")
    first, second = sorted(records.values(), key=lambda record: record.split)
    assert (len(first.questions), len(second.questions)) == (2, 1)
    assert first.questions[0].is_closed
    assert first.passage


@pytest.mark.parametrize("name", OFFICIAL)
def test_another_set_is_refused_in_one_sentence(tmp_path, name):
    other = tmp_path / "other"
    other.mkdir()
    for file in (
        "HAM10000_metadata.tab",
        "kavsir_bboxes.json",
        "train.json",
        "a.parquet",
        "VQA_RAD Dataset Public.json",
        "Descriptions.json",
        "train_captions.csv",
        "a.npz",
    ):
        (other / file).write_bytes(b"[1]")
    with pytest.raises(FetchError, match=r"must .*found .*;|fetch it"):
        get_set(load_set(name), tmp_path / "data", accepted=True, given=other)
    assert not (tmp_path / "data" / name).exists()
