"""Build an index from case records, or add cases to one. Written beside, then put in place whole.

Images come in through `retrieval.case_image`, by the same steps that a query takes, so that query
and corpus are prepared identically.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.errors import IndexMismatchError, RecordError
from jomed_app.retrieval.candidates import encode_thumb
from jomed_app.retrieval.case_image import read_case_image
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import HEADS
from jomed_app.retrieval.search import CaseEncoder
from jomed_app.retrieval.stores.choice import MOST_COMPARED, StoreChoice
from jomed_app.retrieval.write import (
    QUERIES_FILE,
    EncodedCases,
    IndexSettings,
    require_free,
    write_index,
)
from jomed_app.types import Head, RegionSource

NUM_SAMPLE_QUERIES = 128

OnProgress = Callable[[int, int], None]


def build_index(
    records: Sequence[CaseRecord],
    folder: Path,
    encoder: CaseEncoder,
    out: Path,
    *,
    name: str,
    thumb_px: int = 256,
    batch_size: int = 32,
    on_progress: OnProgress | None = None,
    source: str | None = None,
    store: StoreChoice | None = None,
) -> CandidateIndex:
    """Encode a corpus and write its index; an older index at `out` is replaced at the very end.

    Args:
        records: the cases, at least two of different groups; their order does not matter.
        folder: what the records' image paths are relative to.
        encoder: the retriever.
        out: index folder; new, empty, or an older index.
        name: of the index, as shown on screen and in results; the folder's name when empty.
        thumb_px: longest side of a thumbnail, px; smaller images keep their size.
        batch_size: images encoded at once.
        on_progress: called with (cases done, cases in all) after each batch.
        source: where the cases come from, in words; made from their provenance when left out.
        store: where vectors live and how they are searched; faiss in `out` when left out.

    Returns:
        The index, opened from `out`.

    Raises:
        RecordError: if a case id repeats, an image is missing or contradicts its record, or fewer
            than two groups are there.
        IndexMismatchError: if `out` holds something else, or the encoder breaks its protocol.
        ConfigError: if the store cannot be used.
    """
    out = out.resolve()
    require_free(out)
    _require_unique([record.case_id for record in records])
    ordered = sorted(records, key=lambda record: record.case_id)
    sampled = _sample_ids([record.case_id for record in ordered])
    rows = _encode(ordered, folder, encoder, sampled, thumb_px, batch_size, on_progress)
    text = source if source is not None else _describe(ordered)
    settings = IndexSettings(name or out.name, thumb_px, text, store or StoreChoice())
    write_index(rows, encoder, out, settings)
    return CandidateIndex.load(out, encoder.fingerprint)


def add_to_index(
    path: Path,
    records: Sequence[CaseRecord],
    folder: Path,
    encoder: CaseEncoder,
    *,
    out: Path | None = None,
    batch_size: int = 32,
    on_progress: OnProgress | None = None,
    source: str | None = None,
) -> CandidateIndex:
    """Encode new cases only and write old and new as one index, as if built together.

    Args:
        path: the older index.
        records: new cases; their ids must not be in the index.
        folder: what the records' image paths are relative to.
        encoder: the retriever that the index was built with.
        out: folder of the new index; `path` itself when left out.
        batch_size: images encoded at once.
        on_progress: called with (new cases done, new cases in all) after each batch.
        source: words on the new cases, put after the old ones.

    Returns:
        The new index, opened.

    Raises:
        RecordError: as `build_index`, also if an id is already in the index.
        IndexMismatchError: if the index was built with another retriever or was altered, and as
            `build_index`.
    """
    old = CandidateIndex.load(path, encoder.fingerprint)
    target = (path if out is None else out).resolve()
    require_free(target)
    _require_unique([*old.ids, *(record.case_id for record in records)])
    ordered = sorted(records, key=lambda record: record.case_id)
    sampled = _sample_ids([*old.ids, *(record.case_id for record in ordered)])
    thumb_px = old.info.thumb_px
    new = _encode(ordered, folder, encoder, sampled, thumb_px, batch_size, on_progress)
    rows = _merge(old, new, sampled)
    text = "; ".join([old.info.source, source if source is not None else _describe(ordered)])
    settings = IndexSettings(old.info.name, thumb_px, text, _store_of(old))
    old.close()
    write_index(rows, encoder, target, settings)
    return CandidateIndex.load(target, encoder.fingerprint)


def _store_of(old: CandidateIndex) -> StoreChoice:
    """The same engine; an approximate search stays one, and an exact one that was asked for."""
    if old.info.recall is not None:
        return StoreChoice(old.info.store, old.store_uri, "approximate")
    is_wish = old.info.count > MOST_COMPARED
    return StoreChoice(old.info.store, old.store_uri, "exact" if is_wish else "auto")


def _encode(
    records: Sequence[CaseRecord],
    folder: Path,
    encoder: CaseEncoder,
    sampled: frozenset[str],
    thumb_px: int,
    batch_size: int,
    on_progress: OnProgress | None,
) -> EncodedCases:
    rows = EncodedCases()
    for start in range(0, len(records), batch_size):
        batch = records[start : start + batch_size]
        images = []
        for number, record in enumerate(batch, start=start + 1):
            case = read_case_image(record, number, folder)
            images.append(case.pixels)
            rows.records.append(case.record)
            rows.image_hashes.append(case.sha256)
            rows.regions[case.source] += 1
            rows.jpegs.append(encode_thumb(case.pixels, thumb_px))
            if record.case_id in sampled:
                rows.queries[record.case_id] = _checked_query(encoder, case.pixels)
        encoded: dict[Head, NDArray[np.float32]] = {
            "image": encoder.encode_images(images),
            "text": encoder.encode_passages([record.passage for record in batch]),
        }
        for head, vectors in encoded.items():
            rows.vectors[head].extend(_checked(vectors, len(batch), head, encoder))
        if on_progress is not None:
            on_progress(len(rows.records), len(records))
    return rows


def _checked(
    vectors: NDArray[np.float32], count: int, head: Head, encoder: CaseEncoder
) -> NDArray[np.float32]:
    rows = np.asarray(vectors, dtype=np.float32)
    fits = rows.shape == (count, encoder.dim)
    if not fits or not np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3):
        raise IndexMismatchError(
            f"retriever '{encoder.fingerprint}' must return {count} {head} rows of {encoder.dim} "
            f"numbers and norm 1, found shape {rows.shape}; mend its projection"
        )
    return rows


def _checked_query(
    encoder: CaseEncoder, image: NDArray[np.uint8]
) -> dict[Head, NDArray[np.float32]]:
    query = encoder.encode_query(image)
    for head in HEADS:
        if head not in query or query[head].shape != (encoder.dim,):
            found = query[head].shape if head in query else "none"
            raise IndexMismatchError(
                f"retriever '{encoder.fingerprint}' must return a {head} query vector of "
                f"{encoder.dim} numbers, found {found}; mend its query heads"
            )
    return {head: query[head] for head in HEADS}


def _merge(old: CandidateIndex, new: EncodedCases, sampled: frozenset[str]) -> EncodedCases:
    """Old and new rows in one, sorted by id."""
    known: Counter[RegionSource] = Counter(old.info.regions or {"whole": old.info.count})
    rows = EncodedCases(
        records=[*map(old.candidate, old.ids), *new.records],
        image_hashes=[*map(old.image_sha256, old.ids), *new.image_hashes],
        jpegs=[*map(old.thumb_jpeg, old.ids), *new.jpegs],
        vectors={head: [*old.vectors(head), *new.vectors[head]] for head in HEADS},
        regions=known + new.regions,
    )
    order = sorted(range(len(rows.records)), key=lambda row: rows.records[row].case_id)
    rows.records = [rows.records[row] for row in order]
    rows.image_hashes = [rows.image_hashes[row] for row in order]
    rows.jpegs = [rows.jpegs[row] for row in order]
    rows.vectors = {head: [rows.vectors[head][row] for row in order] for head in HEADS}
    with np.load(old.path / QUERIES_FILE) as kept:
        for position, candidate_id in enumerate(kept["ids"].tolist()):
            if candidate_id in sampled:
                rows.queries[candidate_id] = {head: kept[head][position] for head in HEADS}
    rows.queries |= new.queries
    return rows


def _sample_ids(ids: Sequence[str]) -> frozenset[str]:
    """At most 128 ids, those of smallest hash: the same sample however the corpus grew."""
    hashed = sorted(ids, key=lambda text: hashlib.sha256(text.encode()).digest())
    return frozenset(hashed[:NUM_SAMPLE_QUERIES])


def _describe(records: Sequence[CaseRecord]) -> str:
    """Count, sources and splits of some cases, in words."""
    parts = [f"{len(records)} cases"]
    for title, found in (
        ("source", {record.provenance.get("source", "") for record in records}),
        ("split", {record.split for record in records}),
    ):
        named = ", ".join(sorted(found - {""}))
        if named:
            parts.append(f"{title}: {named}")
    return "; ".join(parts)


def _require_unique(ids: Sequence[str]) -> None:
    repeated = sorted(name for name, times in Counter(ids).items() if times > 1)
    if repeated:
        raise RecordError(
            f"case ids of an index must be unique, found '{repeated[0]}' twice; rename one"
        )
    if len(ids) < 2:
        raise RecordError(f"an index needs at least 2 cases, found {len(ids)}; add cases")
