"""Typed errors: every message says what was required, what was found and what to do.

No message may carry a patient attribute; name a file by its position or content hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class JomedError(Exception):
    """Base of all errors that a user can mend; the command line exits with 2, one line."""


class ImageError(JomedError):
    """An uploaded file is not an image we can read (format, size, damage)."""


class DicomError(ImageError):
    """A DICOM file lacks, or contradicts, what decoding its pixels requires."""


class BoxError(JomedError):
    """A box is empty, inverted or not finite."""


class ConfigError(JomedError):
    """A configuration file or override is wrong."""


class RecordError(JomedError):
    """A case record or task definition does not follow its schema."""


class BundleError(JomedError):
    """A bundle is incomplete, altered or of another format version."""


class IndexMismatchError(JomedError):
    """An index was built by another encoder, or its files do not match its manifest."""


class CancelledError(JomedError):
    """The caller asked a running case to stop; nothing was kept."""


def first_fault(error: ValidationError, whole: str) -> str:
    """Word the first fault that pydantic found: its place, `whole` where it has none, and what.

    The value is left out: it may tell who the patient is.
    """
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or whole
    return f"{place}: {first['msg']}"
