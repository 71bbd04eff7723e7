"""Taking an upload: once, and by no other name than the one given out."""

from __future__ import annotations

import pytest

from jomed_app.errors import ImageError
from jomed_app.ui.handlers.upload import LONGEST_SENTENCE, refused_sentence, take_upload
from jomed_app.ui.uploads import UploadStore


def test_a_file_is_taken_once(tmp_path):
    uploads = UploadStore(tmp_path)
    uploads.reserve(5, "192.0.2.1")
    path = uploads.put(b"bytes", "192.0.2.1")
    assert take_upload(uploads, path) == (b"bytes", "192.0.2.1")
    with pytest.raises(ImageError, match=r"taken already\. Send it again"):
        take_upload(uploads, path)


@pytest.mark.parametrize("path", [None, 7, {"path": "x"}, "", "/etc/passwd", "http://example.org"])
def test_anything_else_is_refused(tmp_path, path):
    secret = tmp_path / "other.txt"
    secret.write_text("keep me")
    for each in (path, str(secret)):
        with pytest.raises(ImageError, match="Send it again"):
            take_upload(UploadStore(tmp_path), each)
    assert secret.read_text() == "keep me"


def test_the_servers_sentence_is_shown_and_anything_else_is_not():
    assert refused_sentence(" Try again in 5 s. ", 3) == "Try again in 5 s."
    for said in (None, "", "  ", 7, ["Try again."], "x" * (LONGEST_SENTENCE + 1)):
        assert refused_sentence(said, 3) == (
            "The upload did not arrive. Files up to 3 MB are accepted; check it and try again."
        )
