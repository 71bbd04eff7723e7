"""The hook that keeps patients out of the repository; a script beside `.ci/run`."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "check_dicom.py"

main = runpy.run_path(str(SCRIPT))["main"]


@pytest.fixture
def put(tmp_path):
    def write(path: str, patient_name: str) -> str:
        dataset = Dataset()
        dataset.PatientName = patient_name
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        dataset.SOPInstanceUID = generate_uid()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(tmp_path / path, enforce_file_format=True)
        return path

    return write


@pytest.mark.parametrize("folder", ["assets", "tests/imaging"])
def test_synthetic_patients_may_stay(put, tmp_path, folder):
    assert main([put(f"{folder}/a.dcm", "SYNTHETIC^ONE")], tmp_path) == 0


@pytest.mark.parametrize(
    ("path", "name", "message"),
    [
        ("docs/a.dcm", "SYNTHETIC^ONE", "docs/a.dcm must stand in assets or tests"),
        ("tests/a.dcm", "DOE^JOHN", "tests/a.dcm must have a Patient Name that starts with"),
        ("tests/a.dcm", "", "tests/a.dcm must have a Patient Name that starts with"),
    ],
)
def test_others_are_refused_without_naming_anyone(put, tmp_path, capsys, path, name, message):
    assert main([put(path, name)], tmp_path) == 1
    err = capsys.readouterr().err
    assert message in err
    assert "DOE" not in err


def test_a_file_that_is_no_dicom_is_refused(tmp_path, capsys):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.dcm").write_bytes(b"no dicom")
    assert main(["tests/a.dcm"], tmp_path) == 1
    assert "must be readable DICOM" in capsys.readouterr().err


def test_one_bad_file_among_good_ones_is_enough(put, tmp_path):
    good, bad = put("tests/a.dcm", "SYNTHETIC^A"), put("tests/b.dcm", "DOE^B")
    assert main([good, bad, good], tmp_path) == 1
    assert main([], tmp_path) == 0
