"""Opening the file that the operator's settings name, before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from jomed_app.config.app import FeedbackConfig
from jomed_app.data.archive.labels import load_key
from jomed_app.feedback.store import FeedbackStore


def open_feedback(settings: FeedbackConfig) -> FeedbackStore | None:
    """Return where judgements are kept; None where nobody asks for them.

    Args:
        settings: the file and its key.

    Raises:
        ConfigError: if the file or the key is something else.
        StorageError: if one of them cannot be made.
    """
    if not settings.file:
        return None
    path = Path(settings.file)
    key_path = Path(settings.key_file) if settings.key_file else path.with_name(f"{path.name}.key")
    return FeedbackStore(path, load_key(key_path))
