from __future__ import annotations

import pytest

from jomed_app import __version__
from jomed_app.errors import RecordError
from jomed_app.export.kinds import KINDS
from jomed_app.export.replay import differences, open_picture, version_words, write_again
from jomed_app.export.saved import saved
from jomed_app.imaging import read_image, turned_over
from tests.export.finished_cases import finished, result_of, ultrasound_dicom
from tests.ui.fake_engine import machine_screen_png, png_bytes

WAYS = {
    "as found": (png_bytes(3), "found", False),
    "inverted": (png_bytes(3), "found", True),
    "a region by hand": (png_bytes(3), (20, 30, 300, 280), False),
    "a machine's screen": (machine_screen_png(), "found", False),
    "all of a machine's screen": (machine_screen_png(), "whole", False),
    "dicom": (ultrasound_dicom(), "found", False),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_is_read_again_as_it_was(way):
    data, region, inverted = WAYS[way]
    image = read_image(data, region=region)
    image = turned_over(image) if inverted else image
    kept = saved(result_of(image, None), image)
    again = open_picture(kept, data)
    assert differences(kept, again) == ()
    assert again.info == image.info


def test_another_picture_is_named_by_what_differs():
    kept, _ = finished(png_bytes(3))
    with pytest.raises(RecordError, match="found another hash of its pixels; give the file"):
        open_picture(kept, png_bytes(4))
    with pytest.raises(RecordError, match=r"found another format, size, region, size of what"):
        open_picture(kept, ultrasound_dicom())


def test_files_are_written_found_the_same_or_named(tmp_path):
    kept, image = finished()
    kinds = ("json", "pdf", "csv")
    first = write_again(kept, image, kinds, tmp_path)
    assert first.written == ("case.json", "case.pdf", "case.csv")
    (tmp_path / "case.csv").write_text("another", encoding="utf-8")
    second = write_again(kept, image, kinds, tmp_path)
    assert (second.written, second.same) == ((), ("case.json", "case.pdf"))
    assert second.different == ("case.csv",)
    assert (tmp_path / "case.csv").read_text(encoding="utf-8") == "another"
    assert set(KINDS) > set(kinds)


def test_another_version_is_told():
    kept, _ = finished()
    assert (
        version_words(kept)
        == f"The result was made by version 0.1, these exports by {__version__}."
    )
    versions = kept.result.versions.model_copy(update={"app": __version__})
    same = kept.result.model_copy(update={"versions": versions})
    assert version_words(kept.model_copy(update={"result": same})) == ""
