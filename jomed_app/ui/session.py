"""One case per browser session, in memory only, with purge, time limit and a cap on sessions."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jomed_app.types import FinalResult, ImageRecord, Result, Retrieval
from jomed_app.ui.overwriting import overwrite, whole_arrays
from jomed_app.ui.reading import Reading
from jomed_app.ui.study.study import Studies, Study

MAX_SESSIONS = 200  # ours: equals `state_session_capacity` of the server
SECRET_COOKIE = "jomed_session"  # nosec B105  # a name; beside the session id, see `server.privacy.session_secret`


@dataclass(slots=True)
class Case:
    """The case that a session has open; nothing of it is ever written to disk.

    Attributes:
        image: the decoded frame.
        file_bytes: the upload, kept in memory only while another frame may be asked for, else None.
        sender: who sent it, see `UploadStore`.
        token: unguessable key that the page sends with display requests.
        retrieval: the search that is shown.
        results: the engine's results by search, before any candidate was removed.
        removed: ids of candidates that the reader took out.
        factors: id -> factor of a candidate's weight, where the reader moved it.
        image_share: of the image alone in the sum, in [0, 1], where the reader moved it.
        is_simulated: whether it is one of the shipped examples.
        anyway: whether the reader goes past checks that ask, for research.
        drawn_as: the diagnosis as which a shipped example was drawn; empty for any other image.
        study: where the reader reads first; None where all is shown as it comes.
        kept_results: where results of a shipped example outlive the case; None for any other image.
    """

    image: ImageRecord
    file_bytes: bytes | None = None
    sender: str = ""
    is_simulated: bool = False
    anyway: bool = False
    drawn_as: str = ""
    study: Study | None = None
    kept_results: dict[Retrieval, Result] | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    retrieval: Retrieval = "joint"
    results: dict[Retrieval, Result] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    factors: dict[str, float] = field(default_factory=dict)
    image_share: float | None = None
    _pictures: dict[str, str] = field(default_factory=dict)
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _num_users: int = 0
    _is_forgotten: bool = False
    _kept_arrays: set[int] = field(default_factory=set)

    @property
    def result(self) -> Result | None:
        """The result of the search that is shown, once its run has completed."""
        return self.results.get(self.retrieval)

    @property
    def other_result(self) -> Result | None:
        """The result of the other search, if it was read already."""
        return next((each for key, each in self.results.items() if key != self.retrieval), None)

    @property
    def finals(self) -> dict[Retrieval, FinalResult]:
        """What each search that was read led to, nothing moved in it."""
        return {search: result.final for search, result in self.results.items()}

    @property
    def pictures_held(self) -> frozenset[str]:
        """Panes whose image was made, so that the page has it."""
        return frozenset(self._pictures)

    @property
    def is_hiding(self) -> bool:
        """Whether something of the result is not for the reader yet; of a refusal nothing is."""
        result = self.result
        is_refused = result is not None and result.final.abstained and not result.candidates
        return self.study is not None and self.study.is_open and not is_refused

    def seen(self, reading: Reading) -> Reading:
        """Return what of a reading the reader may see now."""
        return self.study.up_to(reading) if self.study is not None and self.is_hiding else reading

    def finish(self, result: Result) -> None:
        """Hold what the run of the search that is shown came to."""
        self.results[self.retrieval] = result
        if self.kept_results is not None:
            self.kept_results[self.retrieval] = result

    def picture(self, pane: str, make: Callable[[], str]) -> str:
        """Return a pane's image as a data URL, made once per case."""
        if pane not in self._pictures:
            self._pictures[pane] = make()
        return self._pictures[pane]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the pixels as they are meanwhile; of a forgotten case they go with the last user."""
        with self._lock:
            self._num_users += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_users -= 1
            self._overwrite_if_unused()

    def forget(self, successor: Case | None = None) -> None:
        """Stop the run, let go of what the case holds, and overwrite its pixels once unused.

        Python cannot overwrite the rest: the file's bytes, the encoded pictures and the results.

        Args:
            successor: a case that goes on with some of the pixels; those stay.
        """
        self.cancel()
        self.file_bytes = None
        self.results.clear()
        self._pictures.clear()
        kept = set() if successor is None else {id(each) for each in whole_arrays(successor.image)}
        with self._lock:
            self._is_forgotten = True
            self._kept_arrays |= kept
        self._overwrite_if_unused()

    def _overwrite_if_unused(self) -> None:
        """Overwrite the pixels of a forgotten case, unless a run or a drawing still reads them."""
        with self._lock:
            if not self._is_forgotten or self._num_users:
                return
        for whole in whole_arrays(self.image):
            if id(whole) not in self._kept_arrays:
                overwrite(whole)

    def cancel(self) -> None:
        """Ask a run of this case to stop at its next step."""
        self._cancelled.set()

    def allow_run(self) -> None:
        """Take an earlier wish to stop back, before a new run."""
        self._cancelled.clear()

    def is_cancelled(self) -> bool:
        """Whether the run of this case was asked to stop."""
        return self._cancelled.is_set()


class CaseStore:
    """Cases by session key; thread-safe; a session sees its own case only."""

    def __init__(
        self,
        *,
        lifetime_s: float = 900.0,
        max_sessions: int = MAX_SESSIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._max_sessions = max_sessions
        self._clock = clock
        self._lock = threading.Lock()
        self._cases: OrderedDict[str, tuple[float, Case]] = OrderedDict()
        self._searches: OrderedDict[str, Retrieval] = OrderedDict()
        self.studies = Studies()

    def open(self, session: str, case: Case) -> None:
        """Make `case` the session's only case; the one before it is cancelled and forgotten."""
        with self._lock:
            self._forget(session, successor=case)
            self._cases[session] = (self._clock(), case)
            while len(self._cases) > self._max_sessions:
                self._forget(next(iter(self._cases)))
            self._sweep()

    def get(self, session: str) -> Case | None:
        """Return the session's case and renew its time, or None when there is none any more."""
        with self._lock:
            self._sweep()
            entry = self._cases.get(session)
            if entry is None:
                return None
            self._cases[session] = (self._clock(), entry[1])
            self._cases.move_to_end(session)
            return entry[1]

    def by_token(self, token: str) -> Case | None:
        """Return the case that carries this token, or None."""
        with self._lock:
            self._sweep()
            for _, case in self._cases.values():
                if secrets.compare_digest(case.token.encode(), token.encode()):
                    return case
            return None

    def purge(self, session: str) -> bool:
        """Cancel and forget the session's case; say whether there was one."""
        with self._lock:
            return self._forget(session)

    def search(self, session: str, opens_with: Retrieval = "joint") -> Retrieval:
        """Return the search that the session chose last, or `opens_with` at first."""
        with self._lock:
            return self._searches.get(session, opens_with)

    def choose_search(self, session: str, retrieval: Retrieval) -> None:
        """Remember a session's choice, for its next cases too, until it ends."""
        with self._lock:
            self._searches[session] = retrieval
            self._searches.move_to_end(session)
            while len(self._searches) > self._max_sessions:
                self._searches.popitem(last=False)

    def end(self, session: str) -> None:
        """Forget the session's case and its choice of search."""
        with self._lock:
            self._forget(session)
            self._searches.pop(session, None)
            self.studies.end(session)

    def sweep(self) -> None:
        """Forget the cases that were not touched within the lifetime."""
        with self._lock:
            self._sweep()

    def __len__(self) -> int:
        """Return the number of cases held now."""
        with self._lock:
            self._sweep()
            return len(self._cases)

    def _forget(self, session: str, successor: Case | None = None) -> bool:
        """Drop one session's case; the lock is held."""
        entry = self._cases.pop(session, None)
        if entry is None:
            return False
        entry[1].forget(successor)
        return True

    def _sweep(self) -> None:
        """Drop the cases that were not touched within the lifetime; the lock is held."""
        limit = self._clock() - self._lifetime_s
        for session in [key for key, (touched, _) in self._cases.items() if touched < limit]:
            self._forget(session)
