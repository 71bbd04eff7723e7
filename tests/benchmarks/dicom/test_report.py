"""The page of DICOM conformance says what was recorded and what the code holds."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydicom.pixels import pixel_array

from benchmarks.dicom import dcmtk, run
from benchmarks.dicom.report import APP_IS_RIGHT, GOLDEN, count, page
from benchmarks.dicom.shipped import shipped_files
from benchmarks.reliability.records import load
from jomed_app.imaging import read_image

KEPT = load()["dicom"]
SHIPPED = {path.name: path for path in shipped_files().values()}


def test_the_page_is_the_record_and_the_table():
    assert run.PAGE.read_text(encoding="utf-8") == page(KEPT)


def test_the_record_holds_every_row_and_no_difference_of_ours():
    assert KEPT["kind"] == "dicom"
    assert set(KEPT["golden"]) == set(GOLDEN)
    counts = count(KEPT["files"])
    assert counts == KEPT["counts"]
    assert counts["files_tried"] > 250
    assert counts["decoded_by_both"] > 140
    assert counts["differ_and_the_app_is_wrong"] == 0
    assert counts["decoded_by_dcmtk_alone"] == 0


def test_what_is_recorded_as_a_difference_has_a_reason():
    differ = {name for name, found in KEPT["golden"].items() if found["dcmtk"] == "differs"}
    assert differ == {name for name, row in GOLDEN.items() if row.why_dcmtk_differs}
    files = {
        Path(name).name
        for name, found in KEPT["files"].items()
        if "differs" in (found["dcmtk"], found.get("last_frame"))
    }
    assert files == set(APP_IS_RIGHT)


def test_an_unexplained_difference_counts_as_ours():
    read = {"outcome": "read", "dcmtk": "differs"}
    counts = count({"a/rtdose_expb.dcm": read, "a/CT_small.dcm": read})
    assert counts["differ_and_the_app_is_right"] == 1
    assert counts["differ_and_the_app_is_wrong"] == 1


def test_32_bit_big_endian_shows_what_little_endian_shows():
    big, little = (read_image(SHIPPED[f"rtdose{kind}.dcm"]) for kind in ("_expb", ""))
    np.testing.assert_array_equal(big.modality_values, little.modality_values)
    assert KEPT["files"]["pydicom/test_files/rtdose.dcm"]["dcmtk"] == "agrees"


def test_uncompressed_ybr_follows_the_formula_of_the_standard():
    """PS3.3 C.7.6.3.1.2, turned round."""
    if (path := SHIPPED.get("SC_ybr_full_uncompressed.dcm")) is None:
        pytest.skip("the package pydicom-data is absent")
    y, cb, cr = np.moveaxis(pixel_array(path, raw=True).astype(float), -1, 0)
    rgb = np.stack(
        [
            y + 1.402 * (cr - 128),
            y - (0.114 * 1.772 * (cb - 128) + 0.299 * 1.402 * (cr - 128)) / 0.587,
            y + 1.772 * (cb - 128),
        ],
        axis=-1,
    )
    assert np.abs(read_image(path).model_input - rgb.clip(0, 255)).max() <= 0.51


def test_the_command_says_what_it_needs(monkeypatch, capsys):
    monkeypatch.setattr(dcmtk.shutil, "which", lambda tool: None)
    assert run.main([]) == 2
    assert "DCMTK is required, found none" in capsys.readouterr().err


def test_the_page_alone_can_be_written_anew(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "PAGE", tmp_path / "page.md")
    assert run.main(["--page-only"]) == 0
    assert run.PAGE.read_text(encoding="utf-8") == page(KEPT)
    assert json.loads(capsys.readouterr().out) == KEPT["counts"]
