"""Keeps the decoding libraries quiet: their warnings and logs may quote patient attributes."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LIBRARIES = ("pydicom", "PIL", "pylibjpeg", "openjpeg", "libjpeg", "rle", "jpeg_ls")
_NOWHERE = logging.NullHandler()
# The warning filters and the loggers' handlers belong to the process: one decode at a time.
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def quiet_decoding() -> Iterator[list[warnings.WarningMessage]]:
    """Collect warnings and mute the libraries' loggers; yields the list that fills up.

    Only the number of warnings may be used, never their text.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loggers = [logging.getLogger(name) for name in _LIBRARIES]
        before = [(logger.handlers, logger.propagate) for logger in loggers]
        for logger in loggers:  # a level would do too, but setting one empties a global cache
            logger.handlers, logger.propagate = [_NOWHERE], False
        try:
            yield caught
        finally:
            for logger, (handlers, propagate) in zip(loggers, before, strict=True):
                logger.handlers, logger.propagate = handlers, propagate
