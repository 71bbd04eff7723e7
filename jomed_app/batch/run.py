"""A batch from its files to its tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jomed_app.batch.files import Found, find_files
from jomed_app.batch.folder import BatchFolder, Seen
from jomed_app.batch.reading import Outcome
from jomed_app.batch.settings import BatchRun
from jomed_app.batch.workers import Work, Workers
from jomed_app.progress import OnProgress

TakeAll = Callable[[Sequence[Path]], Iterator[tuple[int, Outcome]]]


@dataclass(frozen=True, slots=True)
class BatchDone:
    """What a batch came to.

    Attributes:
        num_files: that were found.
        num_done_before: of them, finished by an earlier run.
        num_failed: rows of the tables without a result.
        num_rows: of the tables, one a content.
        seconds: from the first file to the last, models loaded.
    """

    num_files: int
    num_done_before: int
    num_failed: int
    num_rows: int
    seconds: float


def run_batch(
    places: Sequence[Path],
    work: Work,
    *,
    workers: int,
    keeps_names: bool,
    on_progress: OnProgress,
    on_leaving: Callable[[str], None],
) -> BatchDone:
    """Read every image of some files and folders, and write tables over all of them.

    Args:
        places: files and folders.
        work: with what and how.
        workers: processes; 1 reads in this one.
        keeps_names: whether the tables hold each file's name below the folder that was named.
        on_progress: told after each file.
        on_leaving: told the machine that images are sent to, before one is.

    Raises:
        ImageError: if a place is not there, or holds nothing.
        RecordError: if `work.out` was written by another run.
        JomedError: as `load_engine`, or what would stop every file.
    """
    files = find_files(places, work.out)
    folder = BatchFolder(work.out)
    outcomes: dict[int, Outcome] = {}
    with _reading(work, workers, folder, on_leaving) as take_all:
        started = time.monotonic()
        try:
            on_progress(0, len(files))
            for place, outcome in take_all([each.path for each in files]):
                outcomes[place] = outcome
                on_progress(len(outcomes), len(files))
        finally:  # of a run that is stopped, too
            num_failed, num_rows = _write_tables(folder, files, outcomes, keeps_names)
        seconds = time.monotonic() - started
    read_now = {each.key for each in outcomes.values() if not each.was_done}
    before = sum(each.was_done and each.key not in read_now for each in outcomes.values())
    return BatchDone(len(files), before, num_failed, num_rows, seconds)


@contextmanager
def _reading(
    work: Work, workers: int, folder: BatchFolder, on_leaving: Callable[[str], None]
) -> Iterator[TakeAll]:
    """Yield what reads all files, once the folder is known to be of the same run."""
    if workers == 1:
        taker = work.taker()
        info = taker.engine.info
        folder.begin(BatchRun(settings=work.settings, versions=info.versions))
        if info.sent_to:
            on_leaving(info.sent_to)
        yield lambda paths: ((place, taker.take(path)) for place, path in enumerate(paths))
        return
    with Workers(work, workers) as pool:
        versions, sent_to = pool.describe()
        folder.begin(BatchRun(settings=work.settings, versions=versions))
        if sent_to:
            on_leaving(sent_to)
        yield pool.take_all


def _write_tables(
    folder: BatchFolder, files: Sequence[Found], outcomes: Mapping[int, Outcome], keeps_names: bool
) -> tuple[int, int]:
    """Write the tables of what was read so far; return how many rows failed, and how many are."""
    seen: dict[str, Seen] = {}
    unread: list[tuple[str | None, str]] = []
    for place, outcome in sorted(outcomes.items()):
        name = files[place].name if keeps_names else None
        if outcome.key is None:
            unread.append((name, outcome.error or ""))
        elif outcome.key in seen:
            earlier = seen[outcome.key]
            seen[outcome.key] = Seen(earlier.name, earlier.copies + 1)
        else:
            seen[outcome.key] = Seen(name, 1)
    return folder.write_tables(seen, unread)
