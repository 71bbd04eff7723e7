"""The study that a DICOM file belongs to, read at an explicit wish alone.

The only place that reads who a patient is. It serves `--keep-study` of the command line, for a site
whose archive is to show a result beside the study: the objects that are written then name the
patient, as all of that study must (PS3.3 C.7.1.1). Nothing else asks for it, the page never.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from jomed_app.errors import DicomError
from jomed_app.imaging.read import load_bytes, sniff

_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_COPIED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "AccessionNumber", "StudyID", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceStudy:
    """Patient and study of a file, and the file's own UIDs: DICOM keyword -> value.

    Holds who the patient is: it goes into DICOM objects that were asked for, never into a log, a
    name, a table or a message.
    """

    values: dict[str, str]

    def __repr__(self) -> str:
        return "SourceStudy(...)"


def read_study(source: Path | bytes) -> SourceStudy:
    """Read patient and study of a DICOM file.

    Raises:
        DicomError: if it is no DICOM file, or a UID is missing.
        ImageError: if it cannot be read.
    """
    data = load_bytes(source)
    advice = "leave --keep-study out"
    if sniff(data) != "dicom":
        raise DicomError(
            f"--keep-study requires a DICOM file, found an image without a study; {advice}"
        )
    failure = ""
    values: dict[str, str] = {}
    try:
        tags = [*_REQUIRED, *_COPIED, "SpecificCharacterSet"]
        dataset = dcmread(BytesIO(data), force=True, stop_before_pixels=True, specific_tags=tags)
        values = {name: str(dataset.get(name) or "") for name in (*_REQUIRED, *_COPIED)}
    except Exception as error:  # the parser may raise anything; its text may quote the file
        failure = type(error).__name__
    if failure:
        raise DicomError(
            f"--keep-study requires a readable DICOM header, found {failure}; {advice}"
        )
    if missing := [name for name in _REQUIRED if not values[name]]:
        raise DicomError(f"--keep-study requires {missing[0]} in the file, found none; {advice}")
    return SourceStudy(values)
