"""Keeps the decoding libraries quiet: their warnings and logs may quote patient attributes."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_LIBRARIES = ("pydicom", "PIL", "pylibjpeg", "openjpeg", "libjpeg", "rle", "jpeg_ls", "gdcm")
# A warning is charged to the module that called, which may be ours.
_FROM_DECODING = rf"({'|'.join(_LIBRARIES)}|numpy|scipy|jomed_app\.imaging)(\.|$)"
_NOWHERE = logging.NullHandler()


class _Mute:
    """Warning filters and loggers' handlers belong to the process: set while any thread decodes.

    Only warnings of decoding are touched, and each goes to the list of the thread that gave it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._caught: dict[int, list[type[Warning]]] = {}
        self._undo: Callable[[], None] = _nothing

    def enter(self, caught: list[type[Warning]]) -> list[type[Warning]] | None:
        """Let this thread's warnings go to a list; return the one that they went to before."""
        with self._lock:
            if not self._caught:
                self._undo = self._set()
            thread = threading.get_ident()
            before = self._caught.get(thread)
            self._caught[thread] = caught
            return before

    def leave(self, before: list[type[Warning]] | None) -> None:
        """Take that back."""
        with self._lock:
            thread = threading.get_ident()
            if before is not None:
                self._caught[thread] = before
                return
            del self._caught[thread]
            if not self._caught:
                self._undo()

    def _set(self) -> Callable[[], None]:
        """Set filters and handlers, and return what sets them back."""
        loggers = [logging.getLogger(name) for name in _LIBRARIES]
        handlers = [(logger.handlers, logger.propagate) for logger in loggers]
        for logger in loggers:  # a level would do too, but setting one empties a global cache
            logger.handlers, logger.propagate = [_NOWHERE], False
        show = warnings.showwarning
        warnings.filterwarnings("always", module=_FROM_DECODING)
        added = warnings.filters[0]

        def catch(
            message: Warning | str, category: type[Warning], *place: Any, **more: Any
        ) -> None:
            caught = self._caught.get(threading.get_ident())
            if caught is None:
                show(message, category, *place, **more)
            else:
                caught.append(category)

        def undo() -> None:
            if warnings.showwarning is catch:
                warnings.showwarning = show
            if added in warnings.filters:
                warnings.filters.remove(added)  # type: ignore[attr-defined]
            for logger, (kept, propagate) in zip(loggers, handlers, strict=True):
                logger.handlers, logger.propagate = kept, propagate

        warnings.showwarning = catch
        return undo


def _nothing() -> None:
    return


_MUTE = _Mute()


@contextmanager
def quiet_decoding() -> Iterator[list[type[Warning]]]:
    """Mute the libraries; yields a list that fills with the kinds of this thread's warnings."""
    caught: list[type[Warning]] = []
    before = _MUTE.enter(caught)
    try:
        yield caught
    finally:
        _MUTE.leave(before)
