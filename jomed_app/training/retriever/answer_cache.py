"""What a frozen reader says of a query beside a candidate, read once and kept on disk.

Source: arXiv:2508.17394, phase 2 asks the frozen reader for every candidate of every query at every
step. Ours: the reader does not change, so each pair is read once; the heads then train in seconds.
"""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import BundleError
from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.reader.protocol import CandidateInput, Encoding
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import write_file
from jomed_app.training.run.loop import no_progress

logger = logging.getLogger(__name__)

PACKED = 16  # candidates read in one sequence: longer ones attend to more that they may not see
SAVE_EVERY = 40  # queries
KEPT = ("key", "queries", "counts", "candidates", "log_likelihood", "plain")


@dataclass(frozen=True, slots=True)
class CachedAnswers:
    """Answers of one query.

    Attributes:
        candidates: (M,) rows of the case table.
        log_likelihood: (M, C) log p(label | query, candidate) over all texts, nats.
        plain: (C,) the same without a candidate.
    """

    candidates: NDArray[np.int64]
    log_likelihood: NDArray[np.float32]
    plain: NDArray[np.float32]

    def of(self, wanted: Sequence[int]) -> NDArray[np.float32]:
        """(len(wanted), C) of some candidates, in that order.

        Raises:
            KeyError: if one of them was never read.
        """
        place = {int(row): number for number, row in enumerate(self.candidates)}
        return self.log_likelihood[[place[int(row)] for row in wanted]]


class AnswerCache:
    """Query row -> answers, of one frozen reader.

    Args:
        path: npz file; read when it is there.
        key: names the reader and the question; a file of another key is refused.

    Raises:
        BundleError: if the file holds another reader's answers, or is damaged.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        self._known: dict[int, CachedAnswers] = {}
        if path.is_file():
            self._load()

    def __contains__(self, query: int) -> bool:
        return query in self._known

    def __getitem__(self, query: int) -> CachedAnswers:
        return self._known[query]

    @property
    def queries(self) -> list[int]:
        """Rows that were read, in order."""
        return sorted(self._known)

    def missing(self, query: int, candidates: Sequence[int]) -> list[int]:
        """Those of the candidates that were not read beside the query, in order, once each."""
        known = set(self._known[query].candidates.tolist()) if query in self._known else set()
        return [row for row in dict.fromkeys(map(int, candidates)) if row not in known]

    def add(
        self,
        query: int,
        candidates: Sequence[int],
        log_likelihood: NDArray[np.float32],
        plain: NDArray[np.float32],
    ) -> None:
        """Keep what was read; candidates that are known already must not come again."""
        rows = np.asarray(candidates, dtype=np.int64)
        if query in self._known:
            old = self._known[query]
            rows = np.concatenate([old.candidates, rows])
            log_likelihood = np.concatenate([old.log_likelihood, log_likelihood])
            plain = old.plain
        self._known[query] = CachedAnswers(rows, log_likelihood, plain)

    def save(self) -> None:
        """Write all that is known; an interrupted save leaves the older file whole."""
        queries = self.queries
        known = [self._known[query] for query in queries]
        content = io.BytesIO()
        np.savez(
            content,
            key=np.array(self.key),
            queries=np.array(queries, dtype=np.int64),
            counts=np.array([len(each.candidates) for each in known], dtype=np.int64),
            candidates=np.concatenate([each.candidates for each in known]),
            log_likelihood=np.concatenate([each.log_likelihood for each in known]),
            plain=np.stack([each.plain for each in known]),
        )
        write_file(self.path, content.getvalue())

    def _load(self) -> None:
        try:
            with np.load(self.path, allow_pickle=False) as kept:
                stored = {name: kept[name] for name in KEPT}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise BundleError(
                f"cached answers must be whole, found '{self.path.name}' damaged; "
                "delete the file to read again"
            ) from error
        found = str(stored["key"])
        if found != self.key:
            raise BundleError(
                f"cached answers must be those of reader '{self.key}', '{self.path.name}' "
                f"holds those of '{found}'; delete the file to read again"
            )
        ends = np.cumsum(stored["counts"])
        candidates, scores = stored["candidates"], stored["log_likelihood"]
        for query, end, count, plain in zip(
            stored["queries"], ends, stored["counts"], stored["plain"], strict=True
        ):
            span = slice(end - count, end)
            self._known[int(query)] = CachedAnswers(candidates[span], scores[span], plain)


def fill_cache(
    cache: AnswerCache,
    reader: CaseReader,
    wanted: Mapping[int, Sequence[int]],
    encode_query: Callable[[int], Encoding],
    encode_candidate: Callable[[int], CandidateInput],
    *,
    question: str | None = None,
    on_progress: OnProgress = no_progress,
) -> int:
    """Read every wanted pair that is not known yet; saves as it goes, so that it can be resumed.

    Args:
        cache: filled in place.
        reader: frozen.
        wanted: query row -> candidate rows.
        encode_query: row of the case table -> the query as the reader takes it.
        encode_candidate: the same for a candidate.
        question: asked of every query; None asks the task's.
        on_progress: called after every query.

    Returns:
        How many pairs were read now.
    """
    asked = question or reader.task.question
    count = 0
    for done, (query, candidates) in enumerate(wanted.items(), start=1):
        rows = cache.missing(query, candidates)
        for start in range(0, len(rows), PACKED):
            part = rows[start : start + PACKED]
            case = reader.read(encode_query(query), asked, [encode_candidate(row) for row in part])
            plain = case.alone_log_prob.astype(np.float32)
            cache.add(query, part, case.log_likelihood.astype(np.float32), plain)
        count += len(rows)
        if rows and done % SAVE_EVERY == 0:
            cache.save()
        on_progress(done, len(wanted))
    if count:
        cache.save()
    return count
