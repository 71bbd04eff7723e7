from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from jomed_app.errors import ConfigError
from jomed_app.export.kinds import KINDS, export, parse_kinds, require_dicom
from jomed_app.imaging import read_image
from jomed_app.types import Timings
from tests.export.finished_cases import finished, labelled_png
from tests.ui.conftest import REPOSITORY


@pytest.mark.parametrize("kind", KINDS)
def test_time_changes_no_export_but_the_json(kind):
    kept, image = finished()
    later = kept.result.model_copy(update={"timings_ms": Timings(total=4321)})
    slower = kept.model_copy(update={"result": later})
    assert (export(kind, kept, image) == export(kind, slower, image)) == (kind != "json")


def test_another_process_at_another_time_makes_the_same_bytes(tmp_path):
    kept, image = finished()
    told = """
import sys, hashlib, json
from tests.export.finished_cases import finished
from jomed_app.export.kinds import KINDS, export
kept, image = finished()
print(json.dumps({k: hashlib.sha256(export(k, kept, image)).hexdigest() for k in KINDS}))
"""
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    import hashlib

    mine = {kind: hashlib.sha256(export(kind, kept, image)).hexdigest() for kind in KINDS}
    assert json.loads(done.stdout.splitlines()[-1]) == mine


@pytest.mark.parametrize("lines", [1, 3])
def test_text_that_was_found_is_in_no_picture(lines):
    """A single line, which the model reads the picture with, leaves the app no more than three."""
    from jomed_app.imaging.content.shared import shared_pixels

    data = labelled_png(lines)
    _, image = finished(data)
    assert image.picture is not None
    assert image.picture.text
    shown = shared_pixels(image)
    assert shown.shape == image.model_input.shape
    band = np.s_[285:350, 20:300]
    assert (image.picture.rendering[band] > 200).sum() > 300, "it is in the file"
    assert (shown[band] > 200).sum() == 0
    if lines == 1:
        assert (image.model_input[band] > 200).any(), "the model reads it"


def test_a_picture_without_text_is_as_it_was_read():
    from jomed_app.imaging.content.shared import shared_pixels

    _, image = finished()
    assert shared_pixels(image) is image.model_input
    assert shared_pixels(read_image(labelled_png(0), region=None)).shape == (360, 480, 3)


def test_kinds_are_named():
    assert parse_kinds(None) == ()
    assert parse_kinds("sr, pdf") == ("pdf", "sr")
    assert parse_kinds("all") == tuple(KINDS)
    with pytest.raises(ConfigError, match="found 'docx'; choose among them"):
        parse_kinds("pdf,docx")
    require_dicom(("pdf", "sc"))
    with pytest.raises(ConfigError, match="--keep-study requires a DICOM export"):
        require_dicom(("pdf",))


def test_suffixes_are_apart():
    assert len({kind.suffix for kind in KINDS.values()}) == len(KINDS)
