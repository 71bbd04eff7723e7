"""The open case of each browser session and its list, in memory only: purge, time limit, bounds."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jomed_app.export.table import Row as Cells
from jomed_app.types import FinalResult, ImageRecord, Result, Retrieval
from jomed_app.ui.overwriting import overwrite, whole_arrays
from jomed_app.ui.reading import Reading
from jomed_app.ui.study.study import Studies, Study
from jomed_app.ui.worklist.rows import Worklist

MAX_SESSIONS = 200  # ours: equals `state_session_capacity` of the server
MOST_LIST_BYTES = 512 * 2**20  # ours: of the lists of all sessions
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
        row: its number in the session's list; None for what is on no list, such as an example.
        is_new: whether it is listed and was never shown.
        is_being_read: whether a run of it goes on.
    """

    image: ImageRecord
    file_bytes: bytes | None = None
    sender: str = ""
    is_simulated: bool = False
    anyway: bool = False
    drawn_as: str = ""
    study: Study | None = None
    kept_results: dict[Retrieval, Result] | None = None
    row: int | None = None
    is_new: bool = False
    is_being_read: bool = False
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

    def rest(self) -> None:
        """Let go of the pictures, which can be drawn again, while another case is shown."""
        self._pictures.clear()

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

    @contextmanager
    def being_read(self) -> Iterator[None]:
        """Say meanwhile that a run goes on."""
        self.is_being_read = True
        try:
            yield
        finally:
            self.is_being_read = False

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
    """Cases and lists by session key; thread-safe; a session sees its own alone."""

    def __init__(
        self,
        *,
        lifetime_s: float = 900.0,
        max_sessions: int = MAX_SESSIONS,
        max_list_bytes: int = MOST_LIST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._max_sessions = max_sessions
        self._max_list_bytes = max_list_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._cases: OrderedDict[str, tuple[float, Case]] = OrderedDict()
        self._lists: OrderedDict[str, Worklist] = OrderedDict()
        self._searches: OrderedDict[str, Retrieval] = OrderedDict()
        self.studies = Studies()

    def open(self, session: str, case: Case) -> None:
        """Make `case` the session's open one; the one before it is forgotten, unless listed."""
        with self._lock:
            self._set_aside(session, successor=case)
            if case.row is not None:
                self._list(session).put(case)
            self._cases[session] = (self._clock(), case)
            while len(self._cases) > self._max_sessions:
                self._forget(next(iter(self._cases)))
            self._sweep()
            self._make_room()

    def get(self, session: str) -> Case | None:
        """Return the session's case and renew its time, or None when there is none any more."""
        with self._lock:
            self._sweep()
            entry = self._cases.get(session)
            if entry is None:
                return None
            self._cases[session] = (self._clock(), entry[1])
            self._cases.move_to_end(session)
            self._touch(session)
            return entry[1]

    def by_token(self, token: str) -> Case | None:
        """Return the case that carries this token, or None."""
        with self._lock:
            self._sweep()
            for _, case in self._cases.values():
                if secrets.compare_digest(case.token.encode(), token.encode()):
                    return case
            return None

    def leave(self, session: str) -> None:
        """Close the session's case: a listed one stays on the list, another is forgotten."""
        with self._lock:
            self._set_aside(session)

    def purge(self, session: str) -> bool:
        """Cancel and forget the session's case and its list; say whether there was anything."""
        with self._lock:
            return self._forget(session)

    @contextmanager
    def worklist(self, session: str) -> Iterator[Worklist | None]:
        """Lend a session's list, None where it has none, while nobody else changes it."""
        with self._lock:
            self._sweep()
            self._touch(session)
            yield self._lists.get(session)

    @contextmanager
    def worklist_by_key(self, key: str) -> Iterator[Worklist | None]:
        """Lend the list that carries this key, or None."""
        with self._lock:
            self._sweep()
            found = [
                each
                for each in self._lists.values()
                if secrets.compare_digest(each.key.encode(), key.encode())
            ]
            yield found[0] if found else None

    def enlist(self, session: str, case: Case) -> None:
        """Put a case on the session's list behind the one that is open."""
        with self._lock:
            self._sweep()
            self._list(session).put(case)
            self._make_room()

    def refuse(self, session: str, row: int | None, sentence: str) -> None:
        """Note on the session's list why an image was not read; without a row nothing is."""
        if row is None:
            return
        with self._lock:
            self._sweep()
            self._list(session).refuse(row, sentence)

    def stopped(self, session: str, case: Case, sentence: str) -> None:
        """Note on the session's list why a case of it could not be read; it stays held."""
        with self._lock:
            listed = self._lists.get(session)
            if listed is not None and listed.holds(case) and case.row is not None:
                listed.rows[case.row].said = sentence

    def note(self, session: str, case: Case, cells: Cells) -> None:
        """Note the row of the table of a listed case that was read."""
        with self._lock:
            if session in self._lists:
                self._lists[session].note(case, cells)

    def is_listed(self, session: str, case: Case) -> bool:
        """Whether a case is on the session's list."""
        with self._lock:
            return session in self._lists and self._lists[session].holds(case)

    def show(self, session: str, row: int) -> Case | None:
        """Make the case of a row the open one and return it; None where it is not held."""
        with self._lock:
            self._sweep()
            listed = self._lists.get(session)
            case = listed.rows[row].case if listed is not None and row in listed.rows else None
            if listed is None or case is None:
                return None
            entry = self._cases.get(session)
            if entry is None or entry[1] is not case:
                self._set_aside(session)
            self._cases[session] = (self._clock(), case)
            listed.touch(row)
            self._touch(session)
            return case

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
        """Forget the session's case, its list and its choice of search."""
        with self._lock:
            self._forget(session)
            self._searches.pop(session, None)
            self.studies.end(session)

    def sweep(self) -> None:
        """Forget the cases and lists that were not touched within the lifetime."""
        with self._lock:
            self._sweep()

    def __len__(self) -> int:
        """Return the number of cases that are open now."""
        with self._lock:
            self._sweep()
            return len(self._cases)

    # In all that follows the lock is held.

    def _list(self, session: str) -> Worklist:
        """Return a session's list, a new one where it has none."""
        listed = self._lists.setdefault(session, Worklist())
        self._touch(session)
        while len(self._lists) > self._max_sessions:
            self._forget(next(iter(self._lists)))
        return listed

    def _touch(self, session: str) -> None:
        """Renew the time of a session's list."""
        if session in self._lists:
            self._lists[session].touched = self._clock()
            self._lists.move_to_end(session)

    def _set_aside(self, session: str, successor: Case | None = None) -> None:
        """Close one session's case; what its list holds stays there."""
        entry = self._cases.pop(session, None)
        if entry is None:
            return
        listed = self._lists.get(session)
        if listed is not None and listed.holds(entry[1]):
            entry[1].rest()
        else:
            entry[1].forget(successor)

    def _forget(self, session: str) -> bool:
        """Drop one session's case and its list."""
        listed = self._lists.pop(session, None)
        num_listed = 0 if listed is None else listed.forget()
        entry = self._cases.pop(session, None)
        if entry is not None:
            entry[1].forget()
        return entry is not None or num_listed > 0

    def _make_room(self) -> None:
        """Let images of lists go, of each session and of all: those least recently shown."""
        shown = {session: case for session, (_, case) in self._cases.items()}
        total = 0
        for session, listed in self._lists.items():
            listed.let_go(shown.get(session))
            total += listed.num_bytes
        for session, listed in self._lists.items():
            if total <= self._max_list_bytes:
                return
            before = listed.num_bytes
            listed.let_go(shown.get(session), size=max(0, before + self._max_list_bytes - total))
            total -= before - listed.num_bytes

    def _sweep(self) -> None:
        """Drop the sessions that were not touched within the lifetime."""
        limit = self._clock() - self._lifetime_s
        touched = {key: each.touched for key, each in self._lists.items()}
        for session, (when, _) in self._cases.items():
            touched[session] = max(when, touched.get(session, when))
        for session in [key for key, when in touched.items() if when < limit]:
            self._forget(session)
