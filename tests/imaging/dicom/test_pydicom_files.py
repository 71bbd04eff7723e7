"""Every file that pydicom ships, or its data package holds, gives what was recorded of it.

The record is docs/results/reliability/dicom.json; `python -m benchmarks.dicom.run` writes it.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest

from benchmarks.dicom.compare import read_outcome
from benchmarks.dicom.shipped import shipped_files
from benchmarks.reliability.records import load
from jomed_app.imaging import read_image

MAX_SECONDS = 5.0  # of CPU time, so that a busy machine does not fail the test
# A refusal that names one of these would hide a mistake of ours behind "damaged".
OUR_MISTAKES = ("NameError", "UnboundLocalError", "ImportError", "IndexError", "ZeroDivisionError")

SHIPPED = shipped_files()
RECORDED = load()["dicom"]["files"]
SHARED_DISPLAY = ("lowest", "mean", "highest")


def assert_as_recorded(package: str) -> dict[str, dict[str, Any]]:
    """Read every file of a package and hold it to the record; return what was read."""
    outcomes = {}
    for name in RECORDED:
        if not name.startswith(f"{package}/"):
            continue
        started = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = read_outcome(SHIPPED[name])
        assert time.process_time() - started < MAX_SECONDS, name
        expected = {key: RECORDED[name][key] for key in found}
        # A decoder of another version may round a lossy frame otherwise.
        for key in SHARED_DISPLAY:
            assert abs(found.pop(key, 0) - expected.pop(key, 0)) <= 1, (name, key)
        assert found == expected, name
        outcomes[name] = found
    return outcomes


def test_the_files_that_pydicom_ships():
    outcomes = assert_as_recorded("pydicom")
    assert {name for name in SHIPPED if name.startswith("pydicom/")} <= set(outcomes)
    assert len(outcomes) > 150


@pytest.mark.slow
@pytest.mark.skipif(
    not any(name.startswith("pydicom-data/") for name in SHIPPED),
    reason="the package pydicom-data is absent",
)
def test_the_files_of_the_data_package():
    assert len(assert_as_recorded("pydicom-data")) > 40


def test_what_is_recorded_is_a_picture_or_one_clean_sentence():
    sentences = [found["sentence"] for found in RECORDED.values() if "sentence" in found]
    assert len(sentences) > 90
    for sentence in sentences:
        assert "\n" not in sentence
        assert len(sentence) < 250
        assert not any(mistake in sentence for mistake in OUR_MISTAKES)
    read = [name for name, found in RECORDED.items() if found["outcome"] == "read"]
    assert len(read) >= 170
    assert "'Comprehensive SR'" in RECORDED["pydicom/test_files/test-SR.dcm"]["sentence"]
    assert "complete pixel" in RECORDED["pydicom/test_files/MR_truncated.dcm"]["sentence"]
    for once_refused in ("JPEG-lossy.dcm", "JPGExtended.dcm", "badVR.dcm"):
        assert f"pydicom/test_files/{once_refused}" in read
    assert "pydicom-data/JPEG-LL.dcm" in read


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
BY_NAME = {path.name: path for path in SHIPPED.values()}


@pytest.mark.parametrize("names", TWINS, ids=lambda names: names[-1])
def test_one_picture_gives_one_model_input_in_every_encoding(names):
    present = [BY_NAME[name] for name in names if name in BY_NAME]
    if len(present) < 2:
        pytest.skip("these files lie in the package pydicom-data, which is absent")
    records = [read_image(path) for path in present]
    for record in records[1:]:
        np.testing.assert_array_equal(record.model_input, records[0].model_input)
        assert record.inverted == records[0].inverted
