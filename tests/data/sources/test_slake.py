"""SLAKE: questions and answers become statements, a made-up set becomes records."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.data.sources.slake import (
    PASSAGE_WORDS,
    QUESTIONS_FILE,
    SLAKE_FOLDER,
    read_slake,
    read_slake_questions,
    rewrite_answer,
    state_answers,
)
from jomed_app.errors import BoxError, RecordError

IMAGES = [
    {
        "image": "images/scan1.jpg",
        "split": "train",
        "modality": "CT",
        "box_names": ["Spleen", "Liver"],
        "is_disease": [True, False],
        "boxes": [[1.0, 2.0, 11.0, 12.0], [5.0, 5.0, 35.0, 45.0]],
        "w": 64,
        "h": 48,
    },
    {
        "image": "images/scan2.jpg",
        "split": "validation",
        "modality": "X-Ray",
        "box_names": [],
        "is_disease": [],
        "boxes": [],
        "w": 32,
        "h": 32,
    },
]
QUESTIONS = [
    ("images/scan1.jpg", "Does the picture contain spleen?", "Yes", "CLOSED", "train"),
    ("images/scan1.jpg", "What modality is used to take this image?", "CT", "OPEN", "train"),
    ("images/scan1.jpg", "What imaging modality was used?", "CT", "OPEN", "train"),
    ("images/scan2.jpg", "Is the lung healthy?", "No", "CLOSED", "validation"),
]


@pytest.fixture
def data(tmp_path):
    write_set(tmp_path, IMAGES, QUESTIONS)
    return tmp_path


def write_set(data, images, questions):
    folder = data / SLAKE_FOLDER
    folder.mkdir(exist_ok=True)
    pd.DataFrame(images).to_parquet(folder / f"{SLAKE_FOLDER}.parquet")
    columns = ["image", "question", "answer", "answer_type", "split"]
    pd.DataFrame(questions, columns=columns).to_parquet(folder / QUESTIONS_FILE)


def test_a_set_becomes_records(data):
    folder, (first, second) = read_slake(data)
    assert folder == data / SLAKE_FOLDER
    assert first.case_id == "slake-scan1"
    assert first.image == "images/scan1.jpg"
    assert first.label == "CT"
    assert first.passage == "Modality: CT. Spleen is seen."
    assert first.extended_passage == (
        "Modality: CT. Spleen is seen. CT means cross-sectional X-ray imaging."
    )
    assert (first.group, first.split) == ("scan1", "train")
    assert (first.rows, first.columns) == (48, 64)
    assert second.passage == "The lung looks abnormal."
    assert (second.label, second.split, second.boxes) == ("X-Ray", "val", ())
    assert "box_names" not in second.provenance


def test_boxes_and_their_names_come_largest_first(data):
    record = read_slake(data)[1][0]
    assert record.box_list == [Box(5, 5, 35, 45), Box(1, 2, 11, 12)]
    assert record.provenance["box_names"] == "liver; spleen"
    assert record.provenance["box_is_disease"] == "no; yes"


def test_boxes_may_be_absent(tmp_path):
    fields = ("image", "split", "modality", "w", "h")
    write_set(tmp_path, [{key: IMAGES[0][key] for key in fields}], QUESTIONS)
    assert read_slake(tmp_path)[1][0].boxes == ()


def test_an_inverted_box_is_refused(tmp_path):
    write_set(tmp_path, [{**IMAGES[0], "boxes": [[9.0, 2.0, 1.0, 12.0]]}], QUESTIONS)
    with pytest.raises(BoxError, match="must have x0 < x1"):
        read_slake(tmp_path)


@pytest.mark.parametrize("last", [[], [("images/scan2.jpg", "Is it?", None, "CLOSED", "train")]])
def test_an_image_without_an_answer_has_its_modality(tmp_path, last):
    write_set(tmp_path, IMAGES, [*QUESTIONS[:3], *last])
    assert read_slake(tmp_path)[1][1].passage == "Modality: X-ray."


def test_a_passage_has_forty_words_and_the_rest_extends_it(tmp_path):
    names = [f"organ{number}" for number in range(30)]
    asked = [
        ("images/scan1.jpg", f"Does the picture contain {name}?", "Yes", "CLOSED", "train")
        for name in names
    ]
    write_set(tmp_path, IMAGES[:1], asked)
    record = read_slake(tmp_path)[1][0]
    said = [f"Organ{number} is seen." for number in range(30)]
    assert record.passage == " ".join(said[:13])  # 39 words
    assert record.extended_passage == " ".join(said[:26])


def test_one_long_statement_is_cut(tmp_path):
    asked = [("images/scan1.jpg", "How to treat it?", "rest, " * 60, "OPEN", "train")]
    write_set(tmp_path, IMAGES[:1], asked)
    passage = read_slake(tmp_path)[1][0].passage
    assert len(passage.split()) == PASSAGE_WORDS
    assert passage.endswith("rest...")


def test_questions_keep_their_order_and_take_our_split_names(data):
    table = read_slake_questions(data)
    assert list(table.columns) == ["image", "question", "answer", "answer_type", "split"]
    assert [tuple(row) for row in table.to_numpy()[:3]] == QUESTIONS[:3]
    assert list(table["split"]) == ["train", "train", "train", "val"]
    assert (data / SLAKE_FOLDER / table["image"][0]).parent.name == "images"


def test_a_missing_table_says_which(tmp_path, data):
    (data / SLAKE_FOLDER / QUESTIONS_FILE).unlink()
    with pytest.raises(
        RecordError, match=r"requires slake_qa_en.parquet in the data folder, found"
    ):
        read_slake(data)
    with pytest.raises(RecordError, match=r"requires slake.parquet in the data folder, found none"):
        read_slake(tmp_path / "elsewhere")


def test_a_missing_field_is_named(tmp_path):
    write_set(tmp_path, [{"image": "a.jpg", "split": "train"}], QUESTIONS)
    with pytest.raises(RecordError, match=r"found none named \['modality'\]; prepare the set"):
        read_slake(tmp_path)


def test_what_matters_most_comes_first_and_once():
    said = state_answers(
        [
            ("How to treat the disease?", "Rest"),
            ("Does the picture contain liver?", "No"),
            ("Does the picture contain spleen?", "Yes"),
            ("Is the liver abnormal?", "No"),
            ("What is the shape of the spleen?", ""),
            ("What modality is shown in this image?", "MRI"),
            ("Is this an MRI?", "Yes"),
        ]
    )
    assert said == [
        "Modality: MRI.",
        "The liver looks normal.",
        "Spleen is seen.",
        "Treatment of the disease: rest.",
        "No liver is seen.",
    ]


@pytest.mark.parametrize(
    ("question", "answer", "statement"),
    [
        ("What modality is used to take this image?", "MRI", "Modality: MRI."),
        ("How was this image taken?", "X-Ray", "Modality: X-ray."),
        ("Which modality is it, MRI, CT or X-Ray?", "CT", "Modality: CT."),
        ("Is this a CT scan?", "No", "The modality is not CT."),
        ("What is the mr weighting in this image?", "T2", "MRI weighting: T2."),
        ("Is this an MRI image with t1 weighting?", "Yes", "MRI weighting: t1."),
        ("In what plane is this image scanned?", "Coronal  Plane", "Plane: coronal."),
        ("Is this a sagittal section?", "no", "The plane is not sagittal."),
        ("Which part of the body does this image belong to?", "Neck", "Body part: neck."),
        ("Is this a study of the pelvis?", "No", "The body part is not the pelvis."),
        ("Does the picture contain liver?", "Yes", "Liver is seen."),
        ("Does the picture contain liver?", "No", "No liver is seen."),
        ("Are there kidneys in the picture?", "Yes", "Kidneys are seen."),
        ("Does the pelvis appear in this image?", "Yes", "Pelvis is seen."),
        ("Where is the brian?", "Behind", "Location of the brain: behind."),
        ("Does the picture contain the organ that could be used for tasting?", "No",
         "No organ for tasting is seen."),
        ("Are there organs in the picture that can move?", "Yes", "Organs that can move are seen."),
        ("Do any of the organs in the picture belong to the urinary system?", "Yes",
         "Organs of the urinary system are seen."),
        ("Is the liver healthy?", "No", "The liver looks abnormal."),
        ("Do the ureters look abnormal?", "No", "The ureters look normal."),
        ("Is the ovary not healthy?", "No", "The ovary looks normal."),
        ("Does this image look normal?", "Yes", "The image looks normal."),
        ("Are there abnormalities in the patient's left kidney?", "No",
         "No abnormalities are seen in the left kidney."),
        ("Can a cyst-like mass be observed on the left kidney in this picture?", "Yes",
         "Cyst-like mass is seen on the left kidney."),
        ("Does the patient have pneumonia?", "No", "No pneumonia is seen."),
        ("Is the mass enhancing?", "Yes", "The mass is enhancing."),
        ("Where is the abnormality?", "Left Lung", "Location of the abnormality: left lung."),
        ("Where is/are the abnormality located?", "Top", "Location of the abnormality: top."),
        ("Where is the spleen in this image, left or right?", "Left",
         "Location of the spleen: left."),
        ("What diseases are included in the picture?", "Ileus", "Disease: ileus."),
        ("What disease is/are shown on the back?", "Lipoma", "Disease on the back: lipoma."),
        ("Which lobe is abnormal, left or right?", "Both", "Abnormal lobe: both."),
        ("Is the mass hyperdense or hypodense?", "Hypodense", "Density of the mass: hypodense."),
        ("What color does the ureter show in the picture?", "White", "Color of the ureter: white."),
        ("What is the shape of stent in this image?", "U-shaped", "Shape of the stent: U-shaped."),
        ("How many ureters are there in this image?", "2", "Number of ureters: 2."),
        ("What is the largest organ in the picture?", "Uterus", "Largest organ: uterus."),
        ("Which is smaller in this image,liver or ovary?", "Ovary",
         "Smaller of liver or ovary: ovary."),
        ("What organ is the bright part on the right of the image?", "Ovary",
         "Bright part on the right: ovary."),
        ("What is the function of the main organ in this picture?", "Hearing",
         "Function of the main organ: hearing."),
        ("How much damage will it do?", "A little", "Damage by taking such an image: a little."),
        ("Why was the patient seen?", "Pain.", "Why was the patient seen? Pain."),
        ("Shall it be {0} treated?", "Yes", "Shall it be {0} treated? Yes."),
    ],
)  # fmt: skip
def test_hand_written_statements(question, answer, statement):
    assert rewrite_answer(question, answer)[1] == statement


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_pair_gives_a_statement_of_one_line(question, answer):
    rank, statement = rewrite_answer(question, answer)
    assert rank in range(4)
    assert len(statement.splitlines()) <= 1


def test_a_record_carries_its_questions(data):
    first, second = read_slake(data)[1]
    assert [one.question for one in first.questions] == [row[1] for row in QUESTIONS[:3]]
    assert first.questions[0].is_closed
    assert not first.questions[1].is_closed
    assert (second.questions[0].answer, len(second.questions)) == ("No", 1)
