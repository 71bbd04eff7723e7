"""Our rendering against DCMTK's, pixel by pixel; skipped where DCMTK is not installed."""

import pytest

from benchmarks.dicom import dcmtk
from benchmarks.dicom.compare import compare, verdict
from benchmarks.dicom.report import GOLDEN
from benchmarks.dicom.run import judge
from benchmarks.dicom.shipped import shipped_files
from tests.imaging.dicom.encoded.make_files import FILES, HERE

needs_dcmtk = pytest.mark.skipif(
    not dcmtk.is_installed(), reason="needs DCMTK (apt-get install dcmtk)"
)
# A file each of what the shipped ones differ in; the slow test takes all.
SAMPLE = [
    "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "JPGExtended.dcm", "badVR.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_dcmtk.dcm", "image_dfl.dcm", "rtdose.dcm",
    "examples_palette.dcm", "examples_overlay.dcm", "SC_rgb_small_odd.dcm",
]  # fmt: skip
SHIPPED = shipped_files()


@needs_dcmtk
@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_row_shows_what_dcmtk_shows(name, tmp_path):
    row = GOLDEN[name]
    path = tmp_path / "row.dcm"
    path.write_bytes(row.make())
    found = compare(path, row.frame)["dcmtk"]
    if isinstance(row.expected, str):
        return  # a refusal is the table's; DCMTK may be more lenient
    # Not decoded by DCMTK: JPEG 2000, float pixels, segmented palettes, no preamble.
    # Of another DCMTK's opinion where a reason is given, nothing is known.
    assert found in ("agrees", "does not decode") or row.why_dcmtk_differs


@needs_dcmtk
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_an_encoder_shows_what_dcmtk_shows(name):
    found = compare(HERE / f"{name}.dcm")["dcmtk"]
    assert found == ("does not decode" if name.startswith("htj2k") else "agrees")


@needs_dcmtk
@pytest.mark.parametrize("name", SAMPLE)
def test_a_shipped_file_shows_what_dcmtk_shows(name):
    path = next(path for path in SHIPPED.values() if path.name == name)
    found = judge(path)
    assert found["outcome"] == "read"
    assert {found["dcmtk"], found.get("last_frame", "agrees")} == {"agrees"}


def test_a_difference_is_seen():
    import numpy as np

    ours = np.zeros((2, 3, 3), np.uint8)
    seen = np.zeros((2, 3), np.uint8)
    seen[1, 2] = 1
    assert verdict(ours, seen) == {"dcmtk": "agrees", "largest": 1}
    seen[1, 2] = 2
    assert verdict(ours, seen) == {"dcmtk": "differs", "largest": 2}
    assert verdict(ours, seen.T)["dcmtk"] == "differs"
