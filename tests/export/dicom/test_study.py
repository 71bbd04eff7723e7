from __future__ import annotations

import pytest

from jomed_app.errors import DicomError
from jomed_app.export.dicom.study import read_study
from tests.export.finished_cases import STUDY, ultrasound_dicom
from tests.ui.fake_engine import png_bytes


def test_patient_and_study_are_read_and_nothing_else():
    study = read_study(ultrasound_dicom())
    assert {name: value for name, value in study.values.items() if name in STUDY} == {
        name: STUDY[name] for name in study.values if name in STUDY
    }
    assert "InstitutionName" not in study.values
    assert "Müller" not in repr(study)


def test_a_study_that_is_not_there_is_refused():
    with pytest.raises(DicomError, match="found an image without a study"):
        read_study(png_bytes())
    with pytest.raises(DicomError, match="requires StudyInstanceUID in the file, found none"):
        read_study(ultrasound_dicom(StudyInstanceUID=""))
    with pytest.raises(DicomError, match="--keep-study requires"):
        read_study(bytes(128) + b"DICM" + b"\xff" * 64)
