"""Write a whole index: all files to a folder beside, then put in place. An older one survives."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app import __version__
from jomed_app.data.records import CaseRecord
from jomed_app.errors import IndexMismatchError, RecordError
from jomed_app.retrieval.candidates import write_candidates, write_thumbs
from jomed_app.retrieval.index import store_file
from jomed_app.retrieval.manifest import HEADS, IndexManifest
from jomed_app.retrieval.search import CaseEncoder
from jomed_app.retrieval.stores.choice import StoreChoice
from jomed_app.storage.durable import clear_interrupted, require_writable, whole_folder
from jomed_app.storage.sealing import MANIFEST_FILE, hash_folder, write_sealed
from jomed_app.types import Head, RegionSource

logger = logging.getLogger(__name__)

QUERIES_FILE = "queries.npz"
NUM_QUANTILES = 1001
_SIMULATED_SOURCE = "simulated"


@dataclass(slots=True)
class EncodedCases:
    """Cases with their vectors, aligned by row; sorted by id once they are written.

    Attributes:
        records: the case records.
        image_hashes: hex SHA-256 of the image files.
        jpegs: thumbnails.
        vectors: per head (D,) unit rows.
        queries: case id -> head -> (D,) query vector, of the sampled cases only.
        regions: images by who said which part of them is read.
    """

    records: list[CaseRecord] = field(default_factory=list)
    image_hashes: list[str] = field(default_factory=list)
    jpegs: list[bytes] = field(default_factory=list)
    vectors: dict[Head, list[NDArray[np.float32]]] = field(
        default_factory=lambda: {head: [] for head in HEADS}
    )
    queries: dict[str, dict[Head, NDArray[np.float32]]] = field(default_factory=dict)
    regions: Counter[RegionSource] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What an index is called and how it is kept; see `build_index`."""

    name: str
    thumb_px: int
    source: str
    store: StoreChoice


def write_index(
    rows: EncodedCases, encoder: CaseEncoder, out: Path, settings: IndexSettings
) -> None:
    """Write all files to a folder beside `out`, then put it in the place of `out`.

    A process killed while the folders change places leaves the older index aside, whole;
    `read_manifest` then says where, and the next build puts it back.

    Args:
        rows: the cases sorted by id, with at least one sampled query.
        encoder: the retriever that encoded them.
        out: where the index shall stand.
        settings: name, thumbnails, source and store.

    Raises:
        RecordError: if all cases are of one group.
        StorageError: if there is no room or no permission.
    """
    with whole_folder(out) as partial:
        vectors = {head: np.stack(rows.vectors[head]) for head in HEADS}
        quantiles = _similarity_quantiles(rows, vectors)
        recall: dict[Head, float] = {}
        for head in HEADS:
            queries = np.stack([rows.queries[query][head] for query in sorted(rows.queries)])
            store, found = settings.store.keep(head, vectors[head], queries)
            if found is not None:
                recall[head] = round(found, 4)
            (partial / store_file(head, settings.store.kind)).write_bytes(store.dump())
            store.close()
        write_candidates(partial, rows.records, rows.image_hashes)
        write_thumbs(partial, rows.jpegs)
        _write_queries(partial / QUERIES_FILE, rows.queries)
        manifest = IndexManifest(
            files=hash_folder(partial),
            name=settings.name,
            encoder_fingerprint=encoder.fingerprint,
            dim=encoder.dim,
            store=settings.store.kind,
            recall=recall or None,
            corpus_sha256=_corpus_hash(rows),
            count=len(rows.records),
            labels=dict(sorted(Counter(record.label for record in rows.records).items())),
            simulated=any(
                record.provenance.get("source", "").startswith(_SIMULATED_SOURCE)
                for record in rows.records
            ),
            app_version=__version__,
            source=settings.source,
            thumb_px=settings.thumb_px,
            similarity_quantiles=quantiles,
            regions=dict(sorted(rows.regions.items())),
        )
        write_sealed(partial, manifest)
    logger.info("index '%s' written: %d cases", settings.name, len(rows.records))


def require_free(out: Path) -> None:
    """Check that writing to `out` can destroy nothing but an older index; clear what a kill left.

    Raises:
        IndexMismatchError: if `out` is a file, or a folder with other files in it.
        StorageError: if it cannot be written to.
    """
    require_writable(out.parent)
    clear_interrupted(out)
    if not out.exists() or (out / MANIFEST_FILE).is_file():
        return
    if out.is_file() or any(out.iterdir()):
        raise IndexMismatchError(
            f"an index must be written to a new or empty folder or over an older index, found "
            f"other files at '{out.name}'; choose another --out"
        )


def _similarity_quantiles(
    rows: EncodedCases, vectors: dict[Head, NDArray[np.float32]]
) -> dict[Head, tuple[float, ...]]:
    """Quantiles of <query of one case, vector of another>; pairs within a group do not count."""
    row_of = {record.case_id: row for row, record in enumerate(rows.records)}
    groups = np.array([record.group or f"\0{record.case_id}" for record in rows.records])
    queries = sorted(rows.queries)
    is_pair = groups[[row_of[query] for query in queries]][:, None] != groups[None, :]
    levels = np.linspace(0.0, 1.0, NUM_QUANTILES)
    quantiles: dict[Head, tuple[float, ...]] = {}
    for head in HEADS:
        query_rows = np.stack([rows.queries[query][head] for query in queries])
        scores = (query_rows @ vectors[head].T)[is_pair]
        if not scores.size:
            raise RecordError(
                "an index needs cases of at least two groups to measure similarity, found one; "
                "add cases, or leave the group of unrelated cases empty"
            )
        quantiles[head] = tuple(np.quantile(scores.astype(np.float64), levels).round(7).tolist())
    return quantiles


def _write_queries(path: Path, queries: dict[str, dict[Head, NDArray[np.float32]]]) -> None:
    ids = sorted(queries)
    image = np.stack([queries[candidate_id]["image"] for candidate_id in ids])
    text = np.stack([queries[candidate_id]["text"] for candidate_id in ids])
    np.savez(path, ids=np.array(ids), image=image, text=text)


def _corpus_hash(rows: EncodedCases) -> str:
    digest = hashlib.sha256()
    for record, image_hash in zip(rows.records, rows.image_hashes, strict=True):
        line = json.dumps([record.model_dump(mode="json"), image_hash], sort_keys=True)
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
