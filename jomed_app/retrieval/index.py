"""The candidate index: vectors of both heads, records and thumbnails of one corpus, read only.

A folder: image.faiss, text.faiss, candidates.parquet, thumbs/, queries.npz, manifest.json.
Rows are sorted by case id, so the order in which a corpus was read never matters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError, IndexMismatchError, RecordError
from jomed_app.retrieval.candidates import Thumbs, decode_thumb, read_candidates
from jomed_app.retrieval.manifest import (
    HEADS,
    REBUILD,
    IndexManifest,
    check_index_files,
    read_manifest,
)
from jomed_app.retrieval.search import Hit, relative_scores
from jomed_app.retrieval.store import STORES, StoreKind, VectorStore
from jomed_app.types import Head


def store_file(head: Head, kind: StoreKind) -> str:
    """Return the name of a head's file: `image.faiss`, or `image.milvus` holding a reference."""
    return f"{head}.{kind}"


class CandidateIndex:
    """All candidates of a corpus with their vectors; made by `build_index`, opened by `load`.

    Reading is safe from several threads at once.
    """

    def __init__(
        self,
        path: Path,
        manifest: IndexManifest,
        stores: Mapping[Head, VectorStore],
        records: list[CaseRecord],
        image_hashes: list[str],
        thumbs: Thumbs,
    ) -> None:
        self._path = path
        self._manifest = manifest
        self._stores = dict(stores)
        self._records = records
        self._image_hashes = image_hashes
        self._thumbs = thumbs
        self._row_of = {record.case_id: row for row, record in enumerate(records)}
        self._rows_of_group = _rows_by([record.group for record in records])
        self._rows_of_label = _rows_by([record.label for record in records])
        self._rows_of_image = _rows_by(image_hashes)
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
        store_type = STORES[manifest.store]
        stores: dict[Head, VectorStore] = {
            head: store_type.load(path / store_file(head, manifest.store)) for head in HEADS
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
        """Address of a Milvus store; empty when the vectors are in the folder."""
        return self._stores["image"].uri

    @property
    def ids(self) -> tuple[str, ...]:
        """Case ids in row order, which is sorted."""
        return tuple(self._row_of)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted(self._rows_of_label))

    def __len__(self) -> int:
        return len(self._records)

    def search(
        self,
        vector: NDArray[np.float32],
        head: Head,
        k: int,
        exclude_ids: Collection[str] = frozenset(),
        exclude_groups: Collection[str] = frozenset(),
    ) -> list[Hit]:
        """Return the k candidates of highest inner product in one head, exactly.

        Args:
            vector: (D,) query vector of this head.
            head: image (against candidate images) or text (against passages).
            k: hits wanted, >= 1; fewer come when fewer are left.
            exclude_ids: candidates left out; unknown ids are no error.
            exclude_groups: groups left out; the empty group is none.

        Returns:
            Hits best first, ties by id.

        Raises:
            ConfigError: if k < 1.
            IndexMismatchError: if the vector does not fit the index.
        """
        return self._search_rows(vector, head, k, self._rows_out(exclude_ids, exclude_groups))

    def nearest_other_label(
        self,
        vector: NDArray[np.float32],
        head: Head,
        label: str,
        exclude_ids: Collection[str] = frozenset(),
        exclude_groups: Collection[str] = frozenset(),
    ) -> Hit | None:
        """Return the counter-case: the nearest candidate whose label is another one, or None."""
        rows_out = self._rows_out(exclude_ids, exclude_groups)
        rows_out.update(self._rows_of_label.get(label, ()))
        hits = self._search_rows(vector, head, 1, rows_out)
        return hits[0] if hits else None

    def candidate(self, candidate_id: str) -> CaseRecord:
        """Return a candidate's record; its boxes are px of the original image.

        Raises:
            RecordError: if the index does not hold it.
        """
        return self._records[self._row(candidate_id)]

    def image(self, candidate_id: str) -> NDArray[np.uint8]:
        """Return a candidate's thumbnail, (rows, columns, 3) uint8 RGB, read now.

        Raises:
            RecordError: if the index does not hold it.
        """
        return decode_thumb(self._thumbs.jpeg(self._row(candidate_id)))

    def thumb_jpeg(self, candidate_id: str) -> bytes:
        """Return a candidate's thumbnail as the JPEG it is stored as; errors as `image`."""
        return self._thumbs.jpeg(self._row(candidate_id))

    def thumb_boxes(self, candidate_id: str) -> list[Box]:
        """Return a candidate's boxes in px of its thumbnail; errors as `image`."""
        record = self.candidate(candidate_id)
        rows, columns = self.image(candidate_id).shape[:2]
        return [box.scaled(columns / record.columns, rows / record.rows) for box in record.box_list]

    def ids_of_image(self, sha256: str) -> frozenset[str]:
        """Return the candidates made from exactly this file (hex hash), often none."""
        return frozenset(self._records[row].case_id for row in self._rows_of_image.get(sha256, ()))

    def image_sha256(self, candidate_id: str) -> str:
        """Return the hex hash of the file a candidate's image was read from; errors as `image`."""
        return self._image_hashes[self._row(candidate_id)]

    def vectors(self, head: Head) -> NDArray[np.float32]:
        """Return the (N, D) unit rows of one head, in the order of `ids`."""
        return self._stores[head].vectors()

    def percentile(self, score: float, head: Head) -> float:
        """Return the share of random corpus pairs less similar than `score`, in [0, 100] %."""
        values, levels = self._percentiles[head]
        return float(np.interp(score, values, levels, left=0.0, right=100.0))

    def _search_rows(
        self, vector: NDArray[np.float32], head: Head, k: int, rows_out: Collection[int]
    ) -> list[Hit]:
        if k < 1:
            raise ConfigError(f"a search must ask for at least 1 candidate, found k = {k}")
        if vector.shape != (self._manifest.dim,) or not np.isfinite(vector).all():
            raise IndexMismatchError(
                f"index '{self._manifest.name}' needs a query vector of {self._manifest.dim} "
                f"finite numbers, found shape {vector.shape}; encode the query with its retriever"
            )
        rows, scores = self._stores[head].search(vector, k, rows_out)
        plain = [float(score) for score in scores]
        ranked = enumerate(zip(rows, plain, relative_scores(plain), strict=True), start=1)
        return [
            Hit(
                candidate_id=self._records[row].case_id,
                heads=(head,),
                retriever_score=score,
                rank=rank,
                relative_score=relative,
                best_head=head,
                scores={head: score},
            )
            for rank, (row, score, relative) in ranked
        ]

    def _rows_out(self, ids: Collection[str], groups: Collection[str]) -> set[int]:
        rows = {self._row_of[candidate_id] for candidate_id in ids if candidate_id in self._row_of}
        for group in groups:
            if group:
                rows.update(self._rows_of_group.get(group, ()))
        return rows

    def _row(self, candidate_id: str) -> int:
        try:
            return self._row_of[candidate_id]
        except KeyError:
            raise RecordError(
                f"index '{self._manifest.name}' must hold the candidate asked for, "
                f"found no '{candidate_id}'; take ids from its hits"
            ) from None


def _rows_by(keys: list[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows


def _percentile_curve(
    quantiles: tuple[float, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distinct quantile values and the share (%) of pairs strictly below each."""
    values, first = np.unique(np.asarray(quantiles, dtype=np.float64), return_index=True)
    return values, 100.0 * first / max(1, len(quantiles) - 1)
