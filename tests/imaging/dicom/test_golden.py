"""The golden table: a file made in memory, and what it must show or say (`benchmarks/dicom`)."""

import re

import pytest

from benchmarks.dicom.report import GOLDEN
from jomed_app.errors import DicomError
from jomed_app.imaging import read_image


@pytest.mark.parametrize("name", GOLDEN)
def test_a_file_gives_what_the_table_says(name):
    row = GOLDEN[name]
    if isinstance(row.expected, str):
        with pytest.raises(DicomError, match=row.expected) as caught:
            read_image(row.make(), frame=row.frame, region=None)
        assert "\n" not in str(caught.value)
        assert re.search(r"(required|must|needs)", str(caught.value))
        return
    first = read_image(row.make(), frame=row.frame, region=None).model_input[0, :: row.step]
    is_gray = len(row.expected) == len(first)
    shown = first[:, :1] if is_gray else first
    assert tuple(shown.ravel().tolist()) == row.expected
    assert not is_gray or (first == first[:, :1]).all()


def test_the_table_is_about_everything_that_a_file_can_say():
    groups = {row.group for row in GOLDEN.values()}
    about = ["polarity", "window", "modality", "bits", "frames", "color", "encoding"]
    assert groups == {*about, "around the pixels"}
    assert len(GOLDEN) > 75
    assert sum(isinstance(row.expected, str) for row in GOLDEN.values()) > 20
