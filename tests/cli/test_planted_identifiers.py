"""Planted identifiers, and the file's hash, through the command line: nothing of them is left."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests import planted
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.ui.conftest import REPOSITORY

PIXELS = np.array(Image.open(io.BytesIO(simulated_png(FIRST_FRESH_SEED))))
KINDS = [planted.dicom, planted.png, planted.jpeg, planted.tiff]


@pytest.fixture(scope="module")
def asked(tmp_path_factory, tiny_bundle, tiny_index):
    """Diagnose a file in a process whose home, temporary and working folders are watched."""

    def ask(file: planted.Planted, *words: str) -> tuple[int, list, list]:
        home = tmp_path_factory.mktemp("home")
        folders = {name: home / name for name in ("tmp", "here", "log", "cache", "out")}
        for folder in folders.values():
            folder.mkdir()
        source = home / file.name
        source.write_bytes(file.data)
        told = {
            "HOME": home, "TMPDIR": folders["tmp"], "JOMED_LOG_DIR": folders["log"],
            "XDG_CACHE_HOME": folders["cache"], "PYTHONPATH": REPOSITORY,
            "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "jomed_app", "diagnose", str(source), "--bundle",
             str(tiny_bundle), "--index", str(tiny_index), "--out", str(folders["out"]), *words],
            cwd=folders["here"],
            env=os.environ | {name: str(value) for name, value in told.items()},
            capture_output=True,
            timeout=300,
            check=False,
        )  # fmt: skip
        said = [("stdout", done.stdout), ("stderr", done.stderr)]
        return done.returncode, said, list(planted.left_on_disk(home, but=source))

    return ask


# The page takes every kind, in tests/ui/test_planted_identifiers.py.
@pytest.mark.parametrize(
    "make",
    [planted.dicom, pytest.param(planted.png, marks=pytest.mark.slow)],
    ids=lambda make: make.__name__,
)
def test_a_diagnosis_leaves_nothing_of_a_file(asked, make):
    file = make(PIXELS)
    code, said, left = asked(file, "--json")
    assert code == 0, said
    assert planted.found_in(said + left, file) == []
    exported = [text for place, text in left if place.endswith("result.json")]
    assert json.loads(exported[-1])["final"]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_the_marks_are_in_the_file_to_begin_with(make):
    file = make(PIXELS)
    assert {mark for _, mark in planted.found_in([("file", file.data)], file)} >= {planted.NAME}


def test_a_damaged_file_is_refused_without_a_word_of_it(asked):
    file = planted.broken(planted.dicom(PIXELS))
    code, said, left = asked(file)
    assert code == 2
    assert planted.found_in(said + left, file) == []
