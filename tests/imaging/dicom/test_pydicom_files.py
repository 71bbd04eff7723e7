"""Every file that pydicom ships, or its data package holds, is read or refused in one sentence."""

from __future__ import annotations

import collections
import importlib.util
import time
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from jomed_app.errors import JomedError
from jomed_app.imaging import read_image

MAX_SECONDS = 5.0  # of CPU time, so that a busy machine does not fail the test
# A refusal that names one of these would hide a mistake of ours behind "damaged".
OUR_MISTAKES = ("NameError", "UnboundLocalError", "ImportError", "IndexError", "ZeroDivisionError")


PYDICOM = Path(pydicom.__file__).parent / "data"
_SPEC = importlib.util.find_spec("data_store")  # what the package pydicom-data installs
DATA_PACKAGE = Path(_SPEC.origin).parent / "data" if _SPEC and _SPEC.origin else None


def find(name: str) -> Path | None:
    """Return a shipped file by its name, None when its package is absent."""
    folders = [PYDICOM / "test_files", *([DATA_PACKAGE] if DATA_PACKAGE else [])]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def sweep(root: Path) -> dict[str, list[tuple[str, float, str]]]:
    """Read every file below a folder; return outcome -> (name, seconds, message)."""
    outcomes: dict[str, list[tuple[str, float, str]]] = collections.defaultdict(list)
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    for path in files:
        if path.suffix in (".py", ".pyc"):
            continue
        started, message = time.process_time(), ""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                record = read_image(path)
                outcome = "read"
                assert record.model_input.shape == (record.info.rows, record.info.columns, 3)
                assert record.info.format == "dicom"
            except JomedError as error:
                outcome, message = type(error).__name__, str(error)
        outcomes[outcome].append((path.name, time.process_time() - started, message))
    return outcomes


def assert_clean(outcomes: dict[str, list[tuple[str, float, str]]]) -> None:
    """Hold what must hold for every file."""
    for name, seconds, message in [row for rows in outcomes.values() for row in rows]:
        assert seconds < MAX_SECONDS, name
        assert "\n" not in message, name
        assert len(message) < 250, name
        assert not any(mistake in message for mistake in OUR_MISTAKES), (name, message)


def test_the_files_that_pydicom_ships():
    outcomes = sweep(PYDICOM)
    assert_clean(outcomes)
    assert len(outcomes["read"]) >= 60
    names = {name for rows in outcomes.values() for name, _, _ in rows}
    assert {"CT_small.dcm", "MR_small_RLE.dcm", "examples_jpeg2k.dcm"} <= names
    refused = {name: message for name, _, message in outcomes["DicomError"]}
    assert "'Comprehensive SR'" in refused["test-SR.dcm"]
    assert "complete pixel data" in refused["MR_truncated.dcm"]


# Files of one picture in several lossless encodings.
TWINS = [
    ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm"),
    ("MR_small.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"),
    ("rtdose.dcm", "rtdose_rle.dcm", "rtdose_expb.dcm"),
    ("SC_rgb.dcm", "SC_rgb_16bit.dcm", "SC_rgb_32bit.dcm", "SC_rgb_rle.dcm", "SC_rgb_expb.dcm"),
    ("emri_small.dcm", "emri_small_RLE.dcm", "emri_small_jpeg_2k_lossless.dcm"),
    ("RG1_UNCR.dcm", "RG1_J2KR.dcm"),
    ("US1_UNCR.dcm", "US1_J2KR.dcm"),
    ("OBXXXX1A.dcm", "OBXXXX1A_rle.dcm", "OBXXXX1A_expb.dcm"),
    ("liver_1frame.dcm", "liver_expb_1frame.dcm"),
]


@pytest.mark.parametrize("names", TWINS, ids=lambda names: names[-1])
def test_one_picture_gives_one_model_input_in_every_encoding(names):
    present = [path for name in names if (path := find(name)) is not None]
    if len(present) < 2:
        pytest.skip("these files lie in the package pydicom-data, which is absent")
    records = [read_image(path) for path in present]
    for record in records[1:]:
        np.testing.assert_array_equal(record.model_input, records[0].model_input)
        assert record.inverted == records[0].inverted


@pytest.mark.slow
@pytest.mark.skipif(DATA_PACKAGE is None, reason="the package pydicom-data is absent")
def test_the_files_of_the_data_package():
    assert DATA_PACKAGE is not None
    outcomes = sweep(DATA_PACKAGE)
    assert_clean(outcomes)
    assert len(outcomes["read"]) >= 40
