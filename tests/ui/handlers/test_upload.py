"""Taking an upload: read once, deleted at once, from the upload folder only."""

from __future__ import annotations

import pytest

from jomed_app.errors import ImageError
from jomed_app.ui.handlers.upload import take_upload


def test_it_reads_and_deletes_file_and_folder(tmp_path):
    path = tmp_path / "abc" / "DOE_JOHN.dcm"
    path.parent.mkdir()
    path.write_bytes(b"bytes")
    assert take_upload(path, tmp_path) == b"bytes"
    assert list(tmp_path.iterdir()) == []


def test_it_refuses_a_path_outside_the_upload_folder(tmp_path):
    inside, outside = tmp_path / "uploads", tmp_path / "other.txt"
    inside.mkdir()
    outside.write_text("keep me")
    for path in (outside, inside / ".." / "other.txt", inside):
        with pytest.raises(ImageError, match="Send it again"):
            take_upload(path, inside)
    assert outside.read_text() == "keep me"


def test_it_refuses_a_link(tmp_path):
    inside, outside = tmp_path / "uploads", tmp_path / "other.txt"
    inside.mkdir()
    outside.write_text("keep me")
    (inside / "link").symlink_to(outside)
    with pytest.raises(ImageError, match="Send it again"):
        take_upload(inside / "link", inside)


def test_it_says_when_the_file_is_gone(tmp_path):
    with pytest.raises(ImageError, match="taken already"):
        take_upload(tmp_path / "x" / "y.bin", tmp_path)


def test_a_neighbour_in_the_folder_stays(tmp_path):
    folder = tmp_path / "abc"
    folder.mkdir()
    (folder / "one.bin").write_bytes(b"1")
    (folder / "two.bin").write_bytes(b"2")
    take_upload(folder / "one.bin", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["two.bin"]
