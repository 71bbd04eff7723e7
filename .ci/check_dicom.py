"""Refuse DICOM files that have no place in the repository: a pre-commit hook.

A `.dcm` file may stand in assets/ and tests/ only, and its Patient Name must start with SYNTHETIC.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pydicom
from pydicom.errors import InvalidDicomError

ALLOWED_FOLDERS = ("assets", "tests")
ALLOWED_NAME_PREFIX = "SYNTHETIC"


def find_fault(path: PurePosixPath, root: Path) -> str | None:
    """Return what is wrong with one file, or None.

    Args:
        path: relative to `root`, as git names it.
        root: the repository.

    Returns:
        A sentence without the patient's name, or None when the file may stay.
    """
    if path.parts[0] not in ALLOWED_FOLDERS:
        return f"{path} must stand in {' or '.join(ALLOWED_FOLDERS)}"
    try:
        dataset = pydicom.dcmread(root / path, stop_before_pixels=True)
    except (InvalidDicomError, OSError):
        return f"{path} must be readable DICOM"
    if not str(dataset.get("PatientName", "")).startswith(ALLOWED_NAME_PREFIX):
        return f"{path} must have a Patient Name that starts with {ALLOWED_NAME_PREFIX}"
    return None


def main(paths: Sequence[str], root: Path) -> int:
    """Write every fault to stderr; return 1 if there is one, else 0."""
    faults = [fault for path in paths if (fault := find_fault(PurePosixPath(path), root))]
    for fault in faults:
        sys.stderr.write(fault + "\n")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], Path.cwd()))
