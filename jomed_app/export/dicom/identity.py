"""Who and when in a DICOM object: nobody and no day, unless a study is named on the command line.

A result holds no patient, so the objects made from it hold none: Patient Module and General Study
Module are there with empty values of type 2, the study is a new one, and where the standard demands
a date it is `NO_DAY`. UIDs are made from what was found (PS3.5 B.2), so that the same result gives
the same object and a second sending changes nothing. See docs/adr/0033.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from pydicom.dataset import Dataset

from jomed_app.export.dicom.study import SourceStudy
from jomed_app.export.saved import SavedResult

NO_DAY, NO_TIME = "20000101", "000000"
_NAMESPACE = uuid.UUID("6c1c1f0e-6b2e-5d0c-9a3f-0a4c1e6f7d21")  # ours; drawn once
_DATED = ("InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime",
          "DateOfSecondaryCapture", "TimeOfSecondaryCapture")  # fmt: skip
_TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """UIDs and study of the objects of one result.

    Attributes:
        seed: what the UIDs are made from.
        study: where the objects are filed; None makes a study of their own.
    """

    seed: str
    study: SourceStudy | None = None

    @classmethod
    def of(cls, saved: SavedResult, study: SourceStudy | None = None) -> Identity:
        """Return the identity of a saved result's objects."""
        return cls(saved.content_sha256, study)

    def uid(self, role: str) -> str:
        """Return the UID of a role: a UUID of version 5 under 2.25 (PS3.5 B.2)."""
        within = "" if self.study is None else self.study.values["StudyInstanceUID"]
        return f"2.25.{uuid.uuid5(_NAMESPACE, f'{self.seed} {within} {role}').int}"

    @property
    def study_uid(self) -> str:
        """UID of the study that the objects are filed in."""
        return self.uid("study") if self.study is None else self.study.values["StudyInstanceUID"]

    @property
    def day(self) -> tuple[str, str]:
        """Date and time where the standard demands one."""
        if self.study is None:
            return NO_DAY, NO_TIME
        values = self.study.values
        return values.get("StudyDate") or NO_DAY, values.get("StudyTime") or NO_TIME

    def settle(self, dataset: Dataset) -> Dataset:
        """Set patient, study and dates of an object; what a library wrote of today is replaced."""
        known = {} if self.study is None else self.study.values
        for keyword in _TYPE_2:
            setattr(dataset, keyword, known.get(keyword, ""))
        dataset.StudyInstanceUID = self.study_uid
        for keyword in _DATED:
            if keyword in dataset:
                del dataset[keyword]
        for item in dataset.get("ContributingEquipmentSequence", ()):
            if "ContributionDateTime" in item:
                del item.ContributionDateTime
        if "ContentDate" in dataset:
            dataset.ContentDate, dataset.ContentTime = self.day
        if "SpecificCharacterSet" in dataset or not str(dataset.get("PatientName", "")).isascii():
            dataset.SpecificCharacterSet = "ISO_IR 192"
        return dataset
