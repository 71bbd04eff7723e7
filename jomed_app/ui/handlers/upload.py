"""Taking an upload: read once, deleted at once, from the upload folder only."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from jomed_app.errors import ImageError
from jomed_app.ui import text


def take_upload(path: Path, upload_folder: Path) -> bytes:
    """Return an uploaded file's bytes and delete it, with its folder, before anything else happens.

    Args:
        path: where the server put the upload.
        upload_folder: the only folder from which a file is accepted.

    Raises:
        ImageError: if the path is outside the folder or the file is no longer there.
    """
    resolved, root = path.resolve(), upload_folder.resolve()
    if root not in resolved.parents or path.is_symlink():
        raise ImageError(text.UPLOAD_GONE)
    try:
        data = resolved.read_bytes()
    except OSError as error:
        raise ImageError(text.UPLOAD_GONE) from error
    resolved.unlink(missing_ok=True)
    if resolved.parent != root:
        with suppress(OSError):  # another upload of the same content may still lie there
            resolved.parent.rmdir()
    return data
