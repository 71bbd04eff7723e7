"""Who a DICOM file is of, as pseudonyms by a keyed hash: no identifier itself leaves this module.

Source: HMAC-SHA-256 (RFC 2104); UIDs in the form 2.25.<number> of PS3.5 B.2; dates of one patient
are moved by the same number of days, so that intervals stay (PS3.15 E.3.6).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue

from jomed_app.errors import DicomError
from jomed_app.imaging.dicom.dataset import open_dataset
from jomed_app.imaging.dicom.deidentify import read_numbers
from jomed_app.imaging.dicom.pixels import frame_count
from jomed_app.imaging.quiet import quiet_decoding

MATCHED_BY = {
    "sop_instance_uid": "SOPInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
    "accession_number": "AccessionNumber",
    "patient_id": "PatientID",
}
MOST_DAYS = 1825  # ours: dates move by up to five years back
LEAST_LETTERS = 3  # ours: shorter parts of a name are words of any text
_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
          "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName",
          "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "InstitutionName")  # fmt: skip
_NUMBERS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "PatientTelephoneNumbers")
_DATES = ("PatientBirthDate", "StudyDate")


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """Return 32 hexadecimal digits that stand for a value; without the key nobody gets back.

    Args:
        key: secret, 32 bytes.
        kind: what the value is, so that equal values of two kinds do not meet.
        value: an identifier; spaces around it do not count.
    """
    text = f"{kind}\0{value.strip()}".encode()
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose file it is and where it belongs, without saying who.

    Attributes:
        keys: column of a table of labels -> pseudonym of this file's value there.
        patient, series: pseudonyms.
        study_uid: mapped, "2.25." and a number.
        studied: day of the study, moved; empty where the file has none.
        place: in its series; 0 where the file does not say.
        frames: of the file.
        says_text: whether the file says that text is burned in; None where it does not say.
    """

    keys: dict[str, str]
    patient: str
    series: str
    study_uid: str
    studied: str
    place: int
    frames: int
    says_text: bool | None
    _words: frozenset[str] = field(repr=False, compare=False)

    def is_named_in(self, text: str) -> bool:
        """Whether a text holds a name, number or day by which the file names a person."""
        plain = " ".join(re.findall(r"\w+", text.casefold()))
        return any(f" {word} " in f" {plain} " for word in self._words)


def read_identity(data: bytes, key: bytes) -> Identity:
    """Read whose a DICOM file is, as pseudonyms.

    Args:
        data: the whole file.
        key: secret, 32 bytes.

    Raises:
        DicomError: if it is no DICOM image or its identifying elements are damaged.
    """
    found, failure = None, ""
    with quiet_decoding():
        try:
            found = _read(open_dataset(data), key)
        except (DicomError, MemoryError):
            raise
        except Exception as error:  # a damaged element may raise anything, with its text
            failure = type(error).__name__
    if found is None:
        raise DicomError(
            f"readable identifying attributes are required, found damaged ones ({failure}); export "
            "the file again"
        )
    return found


def _read(dataset: FileDataset, key: bytes) -> Identity:
    keys = {
        column: pseudonym(key, column, value)
        for column, keyword in MATCHED_BY.items()
        if (value := _text(dataset, keyword))
    }
    # A file without a patient is a patient of its own: nothing ties it to another one.
    own = _text(dataset, "SOPInstanceUID") or _text(dataset, "SeriesInstanceUID")
    patient = pseudonym(key, "patient_id", _text(dataset, "PatientID") or f"\0{own}")
    series = keys.get("series_instance_uid") or pseudonym(key, "series_instance_uid", f"\0{own}")
    study = keys.get("study_instance_uid") or series
    places = read_numbers(dataset, "InstanceNumber")
    said = _text(dataset, "BurnedInAnnotation").upper()
    return Identity(
        keys=keys,
        patient=patient,
        series=series,
        study_uid=f"2.25.{int(study, 16)}",
        studied=_moved(_text(dataset, "StudyDate"), patient),
        place=int(places[0]) if places else 0,
        frames=frame_count(dataset),
        says_text={"YES": True, "NO": False}.get(said),
        _words=_words(dataset),
    )


def _moved(day: str, patient: str) -> str:
    """A day moved back by the patient's own number of days; empty where it cannot be read."""
    try:
        read = date(int(day[:4]), int(day[4:6]), int(day[6:8]))
        return (read - timedelta(days=1 + int(patient, 16) % MOST_DAYS)).isoformat()
    except (ValueError, OverflowError):
        return ""


def _words(dataset: Dataset) -> frozenset[str]:
    """Every way in which the file names a person: parts of names, numbers, days as people write."""
    names = [part for keyword in _NAMES for part in re.findall(r"\w+", _text(dataset, keyword))]
    words = {part.casefold() for part in names if len(part) >= LEAST_LETTERS}
    for keyword in _NUMBERS:
        words.add(_plain(_text(dataset, keyword)))
    for keyword in _DATES:
        if len(day := _text(dataset, keyword)) == 8 and day.isdecimal():
            words |= _written(day[:4], day[4:6], day[6:8])
    return frozenset(words - {""})


def _written(year: str, month: str, day: str) -> set[str]:
    orders: Sequence[tuple[str, ...]] = (
        (year, month, day), (day, month, year), (month, day, year)
    )  # fmt: skip
    short = [tuple(part.lstrip("0") for part in order) for order in orders]
    return {"".join(orders[0]), *(" ".join(order) for order in (*orders, *short))}


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _text(dataset: Dataset, keyword: str) -> str:
    """An element as text; several values in one, empty where it is missing."""
    value = dataset.get(keyword)
    if value is None:
        return ""
    several = isinstance(value, MultiValue)  # a name is a sequence too, of letters
    return " ".join(map(str, value)).strip() if several else str(value).strip()
