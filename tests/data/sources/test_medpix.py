"""MedPix 2.0: a made-up table becomes records; captions, findings and sizes that are missing."""

from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from jomed_app.data.sources.medpix import MEDPIX_FOLDER, PASSAGE_WORDS, read_medpix
from jomed_app.data.sources.public_sets import image_size, read_set_table
from jomed_app.errors import RecordError

FIRST = {
    "image": "images/CASE1_a.jpg",
    "split": "train",
    "case_id": "CASE1",
    "in_vqa_rad": False,
    "caption": "A round nodule in the upper lobe",
    "findings": "• The nodule has a smooth edge.\nImpression:\nNo effusion",
    "diagnosis": "Hamartoma\nof the lung",
    "disease_discussion": "Most of them are found by chance. See http://example.org/page for more.",
    "w": 300,
    "h": 384,
}


def write_table(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / f"{MEDPIX_FOLDER}.parquet")


@pytest.fixture
def read(tmp_path):
    """Write rows, each a change of the first one, and read them back."""

    def read(*changes, drop=()):
        rows = [{**FIRST, **change} for change in changes]
        write_table(
            tmp_path / MEDPIX_FOLDER,
            [{key: value for key, value in row.items() if key not in drop} for row in rows],
        )
        return read_medpix(tmp_path)[1]

    return read


def test_a_row_becomes_a_record(read):
    (record,) = read({})
    assert record.case_id == "medpix-CASE1_a"
    assert record.image == "images/CASE1_a.jpg"
    assert record.label == "Hamartoma of the lung"
    assert record.passage == "A round nodule in the upper lobe."
    assert record.extended_passage == (
        "A round nodule in the upper lobe. The nodule has a smooth edge."
    )
    assert (record.group, record.split) == ("CASE1", "train")
    assert (record.rows, record.columns) == (384, 300)
    assert record.boxes == ()
    assert record.provenance["source"] == "MedPix 2.0 selection"
    assert record.provenance["in_vqa_rad"] == "no"


def test_facts_that_tasks_are_made_of(read):
    (record,) = read({"type": "MR", "plane": "Axial", "location_category": "Head",
                      "topic_category": "N/A"})  # fmt: skip
    facts = {name: record.provenance.get(name) for name in ("modality", "plane", "location")}
    assert facts == {"modality": "MR", "plane": "Axial", "location": "Head"}
    assert "category" not in record.provenance


def test_headings_and_links_are_left_out(read):
    caption = " ".join(["A long and plain caption goes on and on here."] * 5)
    (record,) = read({"caption": caption})
    assert record.extended_passage == (
        f"{caption} The nodule has a smooth edge. No effusion. Most of them are found by chance."
    )


def test_the_folder_itself_may_be_named(tmp_path):
    write_table(tmp_path / MEDPIX_FOLDER, [FIRST])
    for data in (tmp_path, tmp_path / MEDPIX_FOLDER):
        folder, records = read_medpix(data)
        assert folder == tmp_path / MEDPIX_FOLDER
        assert len(records) == 1


@pytest.mark.parametrize("nothing", ["", "  ", "N/A", "nan", None])
def test_findings_stand_in_for_a_missing_caption(read, nothing):
    (record,) = read({"caption": nothing})
    assert record.passage == "The nodule has a smooth edge. Impression: No effusion."


@pytest.mark.parametrize("nothing", ["", "N/A", None])
def test_an_image_without_a_text_is_left_out(read, nothing):
    records = read({"caption": nothing, "findings": nothing}, {"image": "images/CASE2_a.jpg"})
    assert [record.case_id for record in records] == ["medpix-CASE2_a"]


@pytest.mark.parametrize("nothing", ["", "N/A", None])
def test_a_missing_diagnosis_is_unknown(read, nothing):
    assert read({"diagnosis": nothing})[0].label == "unknown"


def test_a_long_caption_is_cut_at_a_sentence(read):
    sentence = "This line has seven words in it."
    (record,) = read({"caption": " ".join([sentence] * 20)})
    assert record.passage == " ".join([sentence] * 8)


def test_a_long_sentence_is_cut_at_a_word(read):
    (record,) = read({"caption": "word, " * 100})
    assert record.passage.split() == ["word,"] * (PASSAGE_WORDS - 1) + ["word..."]
    assert len(record.extended_passage.split()) <= 2 * PASSAGE_WORDS


@pytest.mark.parametrize(
    ("found", "split"), [("dev", "val"), ("test", "test"), ("", ""), (None, "")]
)
def test_splits_have_our_names(read, found, split):
    assert read({"split": found})[0].split == split


def test_optional_fields_may_be_absent(read, tmp_path):
    (tmp_path / MEDPIX_FOLDER / "images").mkdir(parents=True)
    Image.new("L", (30, 20)).save(tmp_path / MEDPIX_FOLDER / FIRST["image"])
    (record,) = read({"in_vqa_rad": True}, drop=("split", "disease_discussion", "w", "h"))
    assert record.split == ""
    assert (record.rows, record.columns) == (20, 30)
    assert record.provenance["in_vqa_rad"] == "yes"


def test_a_size_must_come_from_somewhere(tmp_path):
    with pytest.raises(RecordError, match=r"^row 3 must have a size \(w, h\) or a readable image"):
        image_size(tmp_path, {"image": "none.jpg", "w": None}, 3)


def test_a_missing_table_says_which(tmp_path):
    with pytest.raises(
        RecordError, match=r"'medpix2' requires medpix2.parquet .* found none; name"
    ):
        read_medpix(tmp_path)


def test_a_missing_field_is_named(read):
    with pytest.raises(RecordError, match=r"found none named \['caption'\]; prepare the set again"):
        read({}, drop=("caption",))


def test_a_damaged_table_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"not a table")
    with pytest.raises(RecordError, match=r"t.parquet must be a parquet table, found a file"):
        read_set_table(tmp_path, "set", "t.parquet", frozenset())
