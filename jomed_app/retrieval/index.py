"""The candidate index: vectors of both heads, records and thumbnails of one corpus, read only.

A folder: image.faiss, text.faiss, candidates.parquet, thumbs/, queries.npz, manifest.json.
Rows are sorted by case id, so the order in which a corpus was read never matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.errors import IndexMismatchError
from jomed_app.retrieval.candidates import Thumbs, decode_thumb, read_candidates
from jomed_app.retrieval.corpus_view import CorpusView, rows_by
from jomed_app.retrieval.manifest import (
    HEADS,
    REBUILD,
    IndexManifest,
    check_index_files,
    read_index_file,
    read_manifest,
)
from jomed_app.retrieval.similarity import SimilarityScale, measure_similarity
from jomed_app.retrieval.stores.choice import STORES
from jomed_app.retrieval.stores.protocol import StoreKind, VectorStore
from jomed_app.types import Head


def store_file(head: Head, kind: StoreKind) -> str:
    """Return the name of a head's file: `image.faiss`, or, holding a reference, `image.milvus`."""
    return f"{head}.{kind}"


class CandidateIndex(CorpusView):
    """All candidates of a corpus with their vectors; made by `build_index`, opened by `load`."""

    def __init__(
        self,
        path: Path,
        manifest: IndexManifest,
        stores: Mapping[Head, VectorStore],
        records: list[CaseRecord],
        image_hashes: list[str],
        thumbs: Thumbs,
    ) -> None:
        super().__init__(manifest.name, records, stores)
        self._path = path
        self._manifest = manifest
        self._image_hashes = image_hashes
        self._thumbs = thumbs
        self._rows_of_image = rows_by(image_hashes)
        self._percentiles = {
            head: _percentile_curve(values)
            for head, values in manifest.similarity_quantiles.items()
        }

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> CandidateIndex:
        """Open an index for a retriever, after checking every byte of it.

        Args:
            path: the index folder.
            fingerprint: of the loaded retriever; must be the one the index was built with.

        Raises:
            IndexMismatchError: if it was built with another retriever, or any of its files is
                missing, extra, altered, or at odds with the manifest.
        """
        manifest = read_manifest(path)
        if manifest.encoder_fingerprint != fingerprint:
            raise IndexMismatchError(
                f"index '{manifest.name}' was built with retriever "
                f"'{manifest.encoder_fingerprint}', loaded retriever is '{fingerprint}'. {REBUILD}"
            )
        check_index_files(path, manifest)
        stores: dict[Head, VectorStore] = {
            head: STORES[manifest.store].load(
                read_index_file(path, store_file(head, manifest.store), manifest)
            )
            for head in HEADS
        }
        records, image_hashes = read_candidates(path)
        thumbs = Thumbs(path)
        for head, store in stores.items():
            if (store.size, store.dim) != (manifest.count, manifest.dim):
                raise IndexMismatchError(
                    f"index '{manifest.name}' must hold {manifest.count} {head} vectors of "
                    f"{manifest.dim} numbers, found {store.size} of {store.dim}. {REBUILD}"
                )
        if not len(records) == len(thumbs) == manifest.count:
            raise IndexMismatchError(
                f"index '{manifest.name}' must hold {manifest.count} cases, found "
                f"{len(records)} records and {len(thumbs)} thumbnails. {REBUILD}"
            )
        return cls(path, manifest, stores, records, image_hashes, thumbs)

    @property
    def info(self) -> IndexManifest:
        """The manifest: name, encoder, corpus hash, counts per label, simulated or not."""
        return self._manifest

    @property
    def path(self) -> Path:
        """The folder it was read from."""
        return self._path

    @property
    def store_uri(self) -> str:
        """Address of a server that keeps the vectors; empty when the vectors are in the folder."""
        return self._stores["image"].uri

    def image(self, candidate_id: str) -> NDArray[np.uint8]:
        """Return a candidate's thumbnail, (rows, columns, 3) uint8 RGB, read now.

        Raises:
            RecordError: if the index does not hold it.
        """
        return decode_thumb(self._thumbs.jpeg(self._row(candidate_id)))

    def thumb_jpeg(self, candidate_id: str) -> bytes:
        """Return a candidate's thumbnail as the JPEG it is stored as; errors as `image`."""
        return self._thumbs.jpeg(self._row(candidate_id))

    def ids_of_image(self, sha256: str) -> frozenset[str]:
        """Return the candidates made from exactly this file (hex hash), often none."""
        return frozenset(self._records[row].case_id for row in self._rows_of_image.get(sha256, ()))

    def image_sha256(self, candidate_id: str) -> str:
        """Return the hex hash of the file a candidate's image was read from; errors as `image`."""
        return self._image_hashes[self._row(candidate_id)]

    @cached_property
    def similarity(self) -> SimilarityScale | None:
        """What image similarities mean in this index, measured when it is first asked for."""
        return measure_similarity(self)

    def percentile(self, score: float, head: Head) -> float:
        """Return the share of random corpus pairs less similar than `score`, in [0, 100] %.

        Of one head and of queries as they were encoded when the index was built; cases of several
        searches are compared by `similarity`.
        """
        values, levels = self._percentiles[head]
        return float(np.interp(score, values, levels, left=0.0, right=100.0))


def _percentile_curve(
    quantiles: tuple[float, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distinct quantile values and the share (%) of pairs strictly below each."""
    values, first = np.unique(np.asarray(quantiles, dtype=np.float64), return_index=True)
    return values, 100.0 * first / max(1, len(quantiles) - 1)
