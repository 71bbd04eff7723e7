from __future__ import annotations

import hashlib

import pytest

from jomed_app.batch.files import content_key, find_files
from jomed_app.errors import ImageError


def test_files_below_are_found_in_order_but_not_hidden_ones_or_what_is_written(tmp_path):
    for name in ("b/2.png", "b/10.png", "a.png", ".hidden.png", ".cache/x.png", "out/cases/y.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "loop").symlink_to(tmp_path)
    found = find_files([tmp_path, tmp_path / "a.png"], tmp_path / "out")
    assert [each.name for each in found] == ["a.png", "b/10.png", "b/2.png", "a.png"]
    assert content_key(found[0].path) == hashlib.sha256(b"a.png").hexdigest()


def test_a_place_that_is_not_there_or_empty_is_refused(tmp_path):
    with pytest.raises(ImageError, match="IMAGE must be an existing file, found none"):
        find_files([tmp_path / "DOE"], tmp_path / "out")
    with pytest.raises(ImageError, match="must hold at least one file that is not hidden"):
        find_files([tmp_path], tmp_path / "out")


def test_a_file_that_cannot_be_read_is_told_without_its_name(tmp_path):
    with pytest.raises(ImageError, match="found IsADirectoryError") as refused:
        content_key(tmp_path)
    assert tmp_path.name not in str(refused.value)
