"""Taking an upload: once, by the name that the server gave it; and saying why one was refused."""

from __future__ import annotations

from jomed_app.errors import ImageError
from jomed_app.ui import text
from jomed_app.ui.uploads import UploadStore

LONGEST_SENTENCE = 300  # characters; ours: twice the longest refusal of the server


def take_upload(uploads: UploadStore, path: object) -> tuple[bytes, str]:
    """Return an uploaded file's bytes, which nothing holds any more then, and who sent it.

    Args:
        uploads: where files wait.
        path: as the page or a client sent it.

    Raises:
        ImageError: if no file waits under this path.
    """
    sender = uploads.sender_of(path) if isinstance(path, str) else ""
    data = uploads.take(path) if isinstance(path, str) else None
    if data is None:
        raise ImageError(text.UPLOAD_GONE)
    return data, sender


def refused_sentence(said: object, limit_mb: int) -> str:
    """Return what the page shows for an upload that did not arrive.

    Args:
        said: the server's refusal as the page repeats it; anything but a sentence, as of a proxy
            in front or of a broken line, counts as none.
        limit_mb: largest file, MB.
    """
    if isinstance(said, str) and 0 < len(said.strip()) <= LONGEST_SENTENCE:
        return said.strip()
    return text.UPLOAD_FAILED.format(limit=f"{limit_mb} MB")
