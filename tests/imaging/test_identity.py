"""Pseudonyms: the same for the same, another for another key, and no identifier in them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from jomed_app.errors import DicomError
from jomed_app.imaging.identity import MOST_DAYS, pseudonym, read_identity
from tests.imaging.datasets import make_dataset, to_bytes

KEY, OTHER = bytes(32), bytes(range(32))


def file_of(**tags):
    dataset = make_dataset(np.zeros((8, 8), np.uint8))
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return to_bytes(dataset)


def test_a_pseudonym_is_of_its_key_its_kind_and_its_value():
    assert pseudonym(KEY, "patient_id", "4711") == pseudonym(KEY, "patient_id", " 4711 ")
    others = {pseudonym(KEY, "patient_id", "4711"), pseudonym(OTHER, "patient_id", "4711"),
              pseudonym(KEY, "file", "4711"), pseudonym(KEY, "patient_id", "4712")}  # fmt: skip
    assert len(others) == 4
    assert all(len(each) == 32 for each in others)


def test_days_of_one_patient_keep_their_distance():
    first, second, other = (
        read_identity(file_of(PatientID=who, StudyDate=day), KEY)
        for who, day in (("a", "20240301"), ("a", "20240311"), ("b", "20240301"))
    )
    days = [date.fromisoformat(each.studied) for each in (first, second, other)]
    assert (days[1] - days[0]).days == 10
    assert days[2] != days[0]
    for day in (days[0], days[2]):
        assert 1 <= (date(2024, 3, 1) - day).days <= MOST_DAYS
    assert read_identity(file_of(StudyDate=""), KEY).studied == ""


def test_files_without_a_patient_are_nobodys_together():
    one, other = (
        read_identity(file_of(PatientID="", SOPInstanceUID=uid), KEY) for uid in ("1.2.3", "1.2.4")
    )
    assert one.patient != other.patient


def test_a_mapped_uid_is_a_uid():
    found = read_identity(file_of(StudyInstanceUID="1.2.3.4"), KEY)
    assert found.study_uid.startswith("2.25.")
    assert len(found.study_uid) <= 64
    assert found.study_uid[5:].isdecimal()
    assert "1.2.3.4" not in repr(found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Frau Mustermann, Mamma links", True),
        ("MUSTERMANN", True),
        ("pat. 47-11", True),
        ("born 28.2.1947", True),
        ("born 1947-02-28", True),
        ("2/28/1947", True),
        ("seen on 17.05.2024", True),
        ("a mass of 28 mm", False),
        ("Mustermannish texture", False),
        ("", False),
    ],
)
def test_a_text_that_names_the_patient_is_told(text, named):
    data = file_of(PatientName="Mustermann^Eva^^Dr", PatientID="47-11",
                   PatientBirthDate="19470228", StudyDate="20240517")  # fmt: skip
    found = read_identity(data, KEY)
    assert found.is_named_in(text) is named
    assert "ustermann" not in repr(found)


def test_what_is_no_dicom_is_refused():
    with pytest.raises(DicomError):
        read_identity(b"no DICOM at all", KEY)
