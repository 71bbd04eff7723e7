"""Write a simulated corpus: `records.jsonl` and `images/*.png`, resumable, in parallel."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path

from PIL import Image

from jomed_app.data.records import RECORDS_FILE, CaseRecord, read_records, write_records
from jomed_app.errors import ConfigError, RecordError
from jomed_app.simulator.case import SIMULATOR, check_request, simulate_case
from jomed_app.storage.durable import write_file

CASES_PER_SEED = 1_000_000
_PARTIAL = "partial"


def case_seed(seed: int, index: int) -> int:
    """Return the seed of case `index` (0 to 999,999) of the corpus with this seed."""
    return seed * CASES_PER_SEED + index


def write_cases(
    count: int,
    out: Path,
    *,
    seed: int = 0,
    size_px: int = 480,
    workers: int = 2,
    on_case: Callable[[int, int], None] | None = None,
) -> list[CaseRecord]:
    """Simulate `count` cases into a corpus folder; an interrupted call continues where it stopped.

    Cases depend on their seeds only, so the folder is the same for every number of workers.
    Corpora with different seeds share no case.

    Args:
        count: 1 to 1,000,000 cases.
        out: folder, made when missing; may hold cases of the same seed, size and simulator.
        seed: seed of the corpus, >= 0.
        size_px: image width, px.
        workers: processes; 1 works in this process. With more, the calling script needs the usual
            `if __name__ == "__main__"` guard.
        on_case: called with (cases done, count) after each case.

    Returns:
        The records in order.

    Raises:
        ConfigError: if count, seed, size or workers is out of range.
        RecordError: if the folder holds other cases.
    """
    if not 1 <= count <= CASES_PER_SEED:
        raise ConfigError(f"count must be 1 to {CASES_PER_SEED}, found {count}")
    if workers < 1:
        raise ConfigError(f"workers must be 1 or more, found {workers}")
    check_request(seed, size_px)
    (out / "images").mkdir(parents=True, exist_ok=True)
    seeds = [case_seed(seed, index) for index in range(count)]
    known = _known(out, set(seeds), size_px)
    done = len(known)
    if on_case is not None and done:
        on_case(done, count)
    missing = [value for value in seeds if value not in known]
    partial = out / _PARTIAL
    partial.mkdir(exist_ok=True)
    for record in _made(missing, out, size_px, workers):
        write_file(partial / f"{record.case_id}.json", record.model_dump_json())
        known[int(record.provenance["seed"])] = record
        done += 1
        if on_case is not None:
            on_case(done, count)
    records = [known[value] for value in seeds]
    write_records(out, records)
    for path in partial.iterdir():
        path.unlink()
    partial.rmdir()
    return records


def _known(out: Path, wanted: set[int], size_px: int) -> dict[int, CaseRecord]:
    """Return the finished cases of the folder by seed, after checking that they belong here."""
    records = read_records(out) if (out / RECORDS_FILE).is_file() else []
    for path in sorted((out / _PARTIAL).glob("[!.]*.json")):
        records.append(CaseRecord.model_validate_json(path.read_bytes()))
    known: dict[int, CaseRecord] = {}
    for record in records:
        made = (record.provenance.get("simulator"), record.provenance.get("size_px"))
        if made != (SIMULATOR, str(size_px)) or int(record.provenance["seed"]) not in wanted:
            raise RecordError(
                f"folder '{out.name}' must be empty or hold cases of this seed, count and size, "
                f"found '{record.case_id}' of another set; choose another folder"
            )
        if (out / record.image).is_file():
            known[int(record.provenance["seed"])] = record
    return known


def _made(seeds: list[int], out: Path, size_px: int, workers: int) -> Iterator[CaseRecord]:
    """Yield records as their images are written, in any order."""
    if workers == 1 or len(seeds) < 2:
        for value in seeds:
            yield _write_case(value, out, size_px)
        return
    # A fresh interpreter per worker: safe beside threads of the calling program.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(seeds)), mp_context=context) as pool:
        queue = iter(seeds)
        running: set[Future[CaseRecord]] = {
            pool.submit(_write_case, value, out, size_px) for value in islice(queue, 4 * workers)
        }
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
            running |= {
                pool.submit(_write_case, value, out, size_px)
                for value in islice(queue, len(finished))
            }


def _write_case(seed: int, out: Path, size_px: int) -> CaseRecord:
    """Simulate one case and write its image; an unfinished file never bears the final name."""
    case = simulate_case(seed, size_px=size_px)
    content = io.BytesIO()
    Image.fromarray(case.image).save(content, format="PNG", compress_level=4)
    write_file(out / case.record.image, content.getvalue())
    return case.record
