"""An archive with planted identifiers: labelled pictures come out, nothing of the patients does."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from jomed_app.data.archive import take as module
from jomed_app.data.archive.labels import load_key, read_labels
from jomed_app.data.archive.take import (
    DUPLICATE,
    JOURNAL_FILE,
    LINK,
    NAMED,
    NO_LABEL,
    NOT_DICOM,
    OTHER_OF_SERIES,
    REPORT_FILE,
    TEXT,
    TEXT_UNSEEN,
    TextPolicy,
    take_archive,
)
from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import read_records
from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError, RecordError
from tests.imaging.datasets import make_dataset, to_bytes

BREAST = load_task("breast")
NAME, NUMBER, DAY, PLACE = "ZZPLANTED^JOHANNA", "ZZ4711PLANTED", "19470229", "ZZPLANTED CLINIC"
ACCESSION = "ZZACC0815"
UIDS = "1.2.276.0.7230010.3.1.4"
MARKS = ("ZZPLANTED", "JOHANNA", "ZZ4711", "19470228", "CLINIC", ACCESSION, UIDS, "20240517")


def picture(seed):
    rows = np.random.default_rng(seed).integers(20, 120, (8, 8)).astype(np.uint8)
    return np.asarray(Image.fromarray(rows).resize((240, 200), Image.Resampling.BICUBIC))


def write(path, seed, *, number="1", patient=NUMBER, series=1, place=1, lines=(), **tags):
    """One DICOM file of a planted patient; its name tells who it is, too."""
    pixels = picture(seed)
    if lines:
        image = Image.fromarray(pixels)
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=16)
        for at, line in enumerate(lines):
            draw.text((6, 6 + 24 * at), line, fill=255, font=font)
        pixels = np.asarray(image)
    dataset = make_dataset(pixels)
    dataset.PatientName, dataset.PatientID = NAME, patient
    dataset.PatientBirthDate, dataset.StudyDate = "19470228", "20240517"
    dataset.InstitutionName, dataset.AccessionNumber = PLACE, ACCESSION
    dataset.StudyInstanceUID = f"{UIDS}.9"
    dataset.SeriesInstanceUID = f"{UIDS}.{series}"
    dataset.SOPInstanceUID = f"{UIDS}.{series}.{number}"
    dataset.InstanceNumber = place
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(dataset))


def table(path, column, *rows):
    lines = [f"{column},label,passage,split", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def archive(tmp_path):
    """Two patients, a film's worth of trouble, and a table by instance."""
    folder = tmp_path / "archive"
    write(folder / f"{NAME}_{DAY}.dcm", 1, number="1")
    write(folder / "deep" / "b.dcm", 2, number="2", patient="ZZ4712PLANTED", series=2)
    write(folder / "deep" / "again.dcm", 2, number="3", patient="ZZ4712PLANTED", series=2)
    write(folder / "unlabelled.dcm", 3, number="4")
    write(folder / "named.dcm", 4, number="5")
    (folder / "notes.txt").write_text(NAME)
    (folder / "link.dcm").symlink_to(folder / "named.dcm")
    labels = table(
        tmp_path / "labels.csv", "sop_instance_uid",
        (f"{UIDS}.1.1", "benign", "Smooth mass.", "train"),
        (f"{UIDS}.2.2", "malignant", "", "train"),
        (f"{UIDS}.2.3", "malignant", "", "train"),
        (f"{UIDS}.1.5", "benign", "Mrs Johanna has a mass.", "train"),
    )  # fmt: skip
    return folder, labels


@pytest.fixture
def run(tmp_path):
    def take(folder, labels, out="cases", **more):
        return take_archive(
            folder, labels, tmp_path / out, BREAST, key_file=tmp_path / "secret" / "key",
            source="our own cases", licence="in house", **more,
        )  # fmt: skip

    return take


def everything(folder):
    """All bytes and all names below a folder."""
    paths = sorted(folder.rglob("*"))
    return b"\n".join(
        path.relative_to(folder).as_posix().encode()
        + (path.read_bytes() if path.is_file() else b"")
        for path in paths
    )


def test_labelled_pictures_become_cases_and_the_rest_is_counted(archive, run, tmp_path):
    report = run(*archive)
    assert (report.files, report.cases, report.patients) == (7, 2, 2)
    assert report.left_out == {DUPLICATE: 1, LINK: 1, NAMED: 1, NO_LABEL: 1, NOT_DICOM: 1}
    folder, records = load_corpus(BREAST, tmp_path / "cases")
    assert {record.label for record in records} == {"benign", "malignant"}
    assert len({record.group for record in records}) == 2
    first = next(record for record in records if record.label == "benign")
    assert first.passage == "Smooth mass."
    assert first.provenance["licence"] == "in house"
    assert first.provenance["study"].startswith("2.25.")
    pixels = np.asarray(Image.open(folder / first.image))
    np.testing.assert_array_equal(pixels, picture(1))


def test_nothing_of_the_patients_is_anywhere(archive, run, tmp_path):
    run(*archive)
    written = everything(tmp_path / "cases")
    for mark in MARKS:
        for coded in (mark.encode(), mark.lower().encode(), mark.encode("utf-16-le")):
            assert coded not in written, mark
    days = {record.provenance["studied"] for record in read_records(tmp_path / "cases")}
    assert all("2019" <= day < "2024-05-17" for day in days)


def test_the_key_ties_pseudonyms_together_and_lies_apart(archive, run, tmp_path):
    run(*archive)
    run(*archive, out="again")
    first, again = (read_records(tmp_path / name) for name in ("cases", "again"))
    assert first == again
    key = tmp_path / "secret" / "key"
    assert key.stat().st_mode & 0o077 == 0
    assert load_key(key).hex().encode() not in everything(tmp_path / "cases")
    key.unlink()
    run(*archive, out="other")
    assert {record.case_id for record in first}.isdisjoint(
        record.case_id for record in read_records(tmp_path / "other")
    )
    with pytest.raises(ConfigError, match="must lie apart from the cases"):
        take_archive(*archive, tmp_path / "x", BREAST, key_file=tmp_path / "x" / "key",
                     source="", licence="")  # fmt: skip


def test_a_run_that_was_stopped_goes_on_without_decoding_again(archive, run, tmp_path, monkeypatch):
    decoded = []
    read = module.read_untrusted

    def once(data, **more):
        decoded.append(data)
        if len(decoded) == 3:
            raise KeyboardInterrupt
        return read(data, **more)

    monkeypatch.setattr(module, "read_untrusted", once)
    with pytest.raises(KeyboardInterrupt):
        run(*archive)
    journal = tmp_path / "cases" / JOURNAL_FILE
    journal.write_text(journal.read_text() + '{"entry": "half')
    report = run(*archive)
    assert report.cases == 2
    assert len(decoded) == 2 * len(set(decoded)) + 1, "two readings each, and the one cut off"
    count = len(decoded)
    assert run(*archive) == report
    assert len(decoded) == count
    run(*archive, out="whole")
    assert read_records(tmp_path / "cases") == read_records(tmp_path / "whole")


def test_the_middle_image_of_a_series_stands_for_it(tmp_path, run):
    folder = tmp_path / "archive"
    for place in (3, 1, 2):
        write(folder / f"{place}.dcm", place, number=str(place), place=place)
    write(folder / "other.dcm", 9, number="9", series=2, patient="ZZ4712PLANTED")
    labels = table(tmp_path / "l.csv", "patient_id", (NUMBER, "benign", "", ""),
                   ("ZZ4712PLANTED", "normal", "", ""))  # fmt: skip
    report = run(folder, labels)
    assert (report.cases, report.left_out) == (2, {OTHER_OF_SERIES: 2})
    cases = tmp_path / "cases"
    benign = next(each for each in read_records(cases) if each.label == "benign")
    np.testing.assert_array_equal(np.asarray(Image.open(cases / benign.image)), picture(2))


def test_burned_in_text_is_masked_or_the_picture_refused(tmp_path, run):
    folder = tmp_path / "archive"
    write(folder / "a.dcm", 1, number="1", lines=("ZZPLANTED JOHANNA", "Born 28.02.1947"))
    write(folder / "b.dcm", 2, number="2", patient="ZZ4712PLANTED", BurnedInAnnotation="YES")
    write(folder / "c.dcm", 3, number="3", patient="ZZ4713PLANTED")
    labels = table(tmp_path / "l.csv", "file", ("a.dcm", "benign", "", ""),
                   ("b.dcm", "benign", "", ""), ("c.dcm", "normal", "", ""))  # fmt: skip
    masked = run(folder, labels)
    assert (masked.cases, masked.masked) == (2, 1)
    assert masked.left_out == {TEXT_UNSEEN: 1}
    cases = tmp_path / "cases"
    benign = next(each for each in read_records(cases) if each.label == "benign")
    pixels = np.asarray(Image.open(cases / benign.image))
    assert pixels[6:50, 6:120].max() < 130, "no stroke of the lines is left"
    np.testing.assert_array_equal(pixels[100:], picture(1)[100:])
    refused = run(folder, labels, out="refused", text=TextPolicy.REFUSE)
    assert refused.left_out == {TEXT: 1, TEXT_UNSEEN: 1}


def test_the_report_is_kept_beside_the_cases(archive, run, tmp_path):
    report = run(*archive)
    assert json.loads((tmp_path / "cases" / REPORT_FILE).read_text()) == report.model_dump()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("patient,label\nx,benign\n", "found 0 of these and a label"),
        ("patient_id,diagnosis\nx,benign\n", "found 1 of these and no label"),
        ("patient_id,file,label\nx,y,benign\n", "found 2 of these"),
        ("patient_id,label\nSECRET,cyst\n", "line 2 of the table has another"),
        ("patient_id,label\nSECRET,benign\nSECRET,normal\n", "line 3 .* must say the same"),
    ],
)
def test_a_table_that_needs_mending_says_where_and_repeats_nothing(tmp_path, text, words):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(RecordError, match=words) as error:
        read_labels(path, BREAST, bytes(32))
    assert "SECRET" not in str(error.value)


def test_what_cannot_be_taken_from_or_into_is_refused(archive, run, tmp_path):
    folder, labels = archive
    with pytest.raises(ConfigError, match="an archive must be a folder"):
        run(tmp_path / "nowhere", labels)
    with pytest.raises(RecordError, match="must be a CSV file in UTF-8"):
        run(folder, tmp_path / "none.csv", out="a")
    with pytest.raises(ConfigError, match="into a new folder"):
        run(folder, labels, out="archive")
    shutil.copyfile(labels, tmp_path / "secret" / "key")
    with pytest.raises(ConfigError, match="must hold a key of 32 bytes"):
        run(folder, labels, out="b")
    (tmp_path / "secret" / "key").unlink()
    empty = table(tmp_path / "e.csv", "patient_id", ("nobody", "benign", "", ""))
    with pytest.raises(
        RecordError, match=r"found none in 7 files \(1 no DICOM.*5 not in the table"
    ):
        run(folder, empty, out="c")
