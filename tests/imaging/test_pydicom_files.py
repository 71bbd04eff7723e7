"""Every file that pydicom ships, or its data package holds, is read or refused in one sentence."""

from __future__ import annotations

import collections
import importlib.util
import time
import warnings
from pathlib import Path

import pydicom
import pytest

from jomed_app.errors import JomedError
from jomed_app.imaging import read_image

MAX_SECONDS = 5.0
# A refusal that names one of these would hide a mistake of ours behind "damaged".
OUR_MISTAKES = ("NameError", "UnboundLocalError", "ImportError", "IndexError", "ZeroDivisionError")


def sweep(root: Path) -> dict[str, list[tuple[str, float, str]]]:
    """Read every file below a folder; return outcome -> (name, seconds, message)."""
    outcomes: dict[str, list[tuple[str, float, str]]] = collections.defaultdict(list)
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    for path in files:
        if path.suffix in (".py", ".pyc"):
            continue
        started, message = time.perf_counter(), ""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                record = read_image(path)
                outcome = "read"
                assert record.model_input.shape == (record.info.rows, record.info.columns, 3)
                assert record.info.format == "dicom"
            except JomedError as error:
                outcome, message = type(error).__name__, str(error)
        outcomes[outcome].append((path.name, time.perf_counter() - started, message))
    return outcomes


def assert_clean(outcomes: dict[str, list[tuple[str, float, str]]]) -> None:
    """Hold what must hold for every file."""
    for name, seconds, message in [row for rows in outcomes.values() for row in rows]:
        assert seconds < MAX_SECONDS, name
        assert "\n" not in message, name
        assert len(message) < 250, name
        assert not any(mistake in message for mistake in OUR_MISTAKES), (name, message)


def test_the_files_that_pydicom_ships():
    outcomes = sweep(Path(pydicom.__file__).parent / "data")
    assert_clean(outcomes)
    assert len(outcomes["read"]) >= 60
    names = {name for rows in outcomes.values() for name, _, _ in rows}
    assert {"CT_small.dcm", "MR_small_RLE.dcm", "examples_jpeg2k.dcm"} <= names
    refused = {name: message for name, _, message in outcomes["DicomError"]}
    assert "'Comprehensive SR'" in refused["test-SR.dcm"]
    assert "complete pixel data" in refused["MR_truncated.dcm"]


@pytest.mark.skipif(
    importlib.util.find_spec("data_store") is None, reason="the package pydicom-data is absent"
)
def test_the_files_of_the_data_package():
    spec = importlib.util.find_spec("data_store")
    assert spec is not None
    assert spec.origin is not None
    outcomes = sweep(Path(spec.origin).parent / "data")
    assert_clean(outcomes)
    assert len(outcomes["read"]) >= 40
