"""Errors: typed ones say what was required, found and to be done; faults of ours get an id.

No message may carry a patient attribute; name a file by its position or content hash. The log never
holds the message of a fault, for a library may have put a tag value or a file name in it.
"""

from __future__ import annotations

import logging
import os
import secrets
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

logger = logging.getLogger(__name__)

PACKAGE_LOGGER = "jomed_app"
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JomedError(Exception):
    """Base of all errors that a user can mend; the command line exits with 2, one line."""


class ImageError(JomedError):
    """An uploaded file is not an image we can read (format, size, damage)."""


class DicomError(ImageError):
    """A DICOM file lacks, or contradicts, what decoding its pixels requires."""


class DecodingEndedError(ImageError):
    """A file took more time or memory than one may, and its decoder was ended."""


class BoxError(JomedError):
    """A box is empty, inverted or not finite."""


class ConfigError(JomedError):
    """A configuration file or override is wrong."""


class MemoryShortError(JomedError):
    """A model does not fit the memory of the machine or of its GPU."""


class RecordError(JomedError):
    """A case record or task definition does not follow its schema."""


class CandidatesIgnoredError(JomedError):
    """A reader answers alike beside all candidates, so that no retriever can learn from it."""


class BundleError(JomedError):
    """A bundle is incomplete, altered or of another format version."""


class StorageError(JomedError):
    """A file or folder cannot be written: no room, no permission, something else in its place."""


class IndexMismatchError(JomedError):
    """An index was built by another encoder, or its files do not match its manifest."""


class RemoteError(JomedError):
    """A server that reads did not answer, or not with what was asked for."""


class HubError(JomedError):
    """The Hugging Face Hub did not answer, or refused what was asked."""


class FetchError(JomedError):
    """A public set cannot be had from its home, or is not what its publisher states."""


class SessionError(JomedError):
    """A visitor's session cannot be told from another's."""


class ReadError(JomedError):
    """What a reader says of an image lacks something, or is none of the task's words."""


class LineError(JomedError):
    """A case cannot wait for the model: too many do, or the server is being stopped."""


class CancelledError(JomedError):
    """The caller asked a running case to stop; nothing was kept."""


class DecoderFaultError(Exception):
    """A fault of ours in a decoder process; holds types and code places, as the log does."""

    def __init__(self, places: list[str]) -> None:
        super().__init__("a decoder must answer, found a fault of ours in it")
        self.places = places


def first_fault(error: ValidationError, whole: str) -> str:
    """Word the first fault that pydantic found: its place, `whole` where it has none, and what.

    The value is left out: it may tell who the patient is.
    """
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or whole
    return f"{place}: {first['msg']}"


def log_folder() -> Path:
    """Return where logs go: $JOMED_LOG_DIR, else the user's state folder."""
    if chosen := os.environ.get("JOMED_LOG_DIR"):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "jomed"


def start_log() -> Path | None:
    """Send the package's log to `jomed.log`; calling it again changes nothing.

    Returns:
        The file, or None where no file can be written (the app then runs without a log).
    """
    package = logging.getLogger(PACKAGE_LOGGER)
    path = log_folder() / "jomed.log"
    for handler in package.handlers:
        if isinstance(handler, logging.FileHandler) and handler.baseFilename == str(
            path.absolute()
        ):
            return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file_handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    except OSError:
        package.addHandler(logging.NullHandler())
        return None
    file_handler.setFormatter(logging.Formatter(LOG_FORMAT))
    package.addHandler(file_handler)
    package.setLevel(logging.INFO)
    return path


def record_incident(error: BaseException) -> str:
    """Log the types and code places of an error and its causes; return an id to show.

    Args:
        error: anything raised; its message and its local values are left out.

    Returns:
        Eight hexadecimal digits, random.
    """
    incident = secrets.token_hex(4)
    logger.error("incident %s\n%s", incident, "\n".join(fault_places(error)))
    return incident


def fault_places(error: BaseException) -> list[str]:
    """Return the types of an error and its causes, and the code places of each; no message."""
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        lines.append(f"{type(seen).__module__}.{type(seen).__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(seen.__traceback__)
        ]
        if isinstance(seen, DecoderFaultError):
            lines += seen.places
        seen = seen.__cause__ or seen.__context__
    return lines
