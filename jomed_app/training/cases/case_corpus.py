"""The cases that tune models which a file names: searched by its retriever, shown to its reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.records import CaseRecord
from jomed_app.imaging import read_image
from jomed_app.inference.candidate_cache import CandidateCache
from jomed_app.models.reader.protocol import CandidateInput, Encoding, Reader
from jomed_app.models.retriever.protocol import Retriever
from jomed_app.models.retriever.query_heads import HEADS
from jomed_app.progress import OnProgress
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.training.run.loop import no_progress
from jomed_app.types import Head

BATCH_SIZE = 32


class CaseCorpus:
    """Cases by their row, from files; what a reader encoded is held while memory allows.

    Args:
        folder: that the records' image paths start from.
        records: N cases.
        retriever: embeds them, frozen.
        reader: they are shown to.
        on_progress: called after every batch of cases that is embedded.
    """

    def __init__(
        self,
        folder: Path,
        records: Sequence[CaseRecord],
        retriever: Retriever,
        reader: Reader,
        on_progress: OnProgress = no_progress,
    ) -> None:
        self.folder, self.records, self.reader = folder, records, reader
        images, passages = [], []
        for start in range(0, len(records), BATCH_SIZE):
            rows = range(start, min(start + BATCH_SIZE, len(records)))
            images.append(retriever.encode_images([self.image(row) for row in rows]))
            passages.append(retriever.encode_passages([records[row].passage for row in rows]))
            on_progress(rows.stop, len(records))
        self.vectors: dict[Head, Tensor] = {
            "image": torch.from_numpy(np.concatenate(images)),
            "text": torch.from_numpy(np.concatenate(passages)),
        }
        self._row_of = {record.case_id: row for row, record in enumerate(records)}
        self.view = CorpusView.of_vectors(
            "cases", records, {head: rows.numpy() for head, rows in self.vectors.items()}
        )
        self._shown = CandidateCache(reader, self.view, self._encode)

    def image(self, row: int) -> NDArray[np.uint8]:
        """(rows, columns, 3) of a case, as the app reads an index's images."""
        return read_image(self.records[row].image_in(self.folder), region=None).model_input

    def _encode(self, ids: Sequence[str]) -> Sequence[Encoding]:
        return self.reader.encode([self.image(self._row_of[each]) for each in ids])

    def candidate(self, row: int) -> CandidateInput:
        """A case as a candidate, with its label and passage."""
        return self._shown.inputs([self.records[row].case_id])[0]

    def query(self, row: int) -> Encoding:
        """A case as the query."""
        return self.reader.encode([self.image(row)])[0]

    def nearest(self, row: int, counts: Mapping[Head, int], moved: Retriever) -> list[int]:
        """Rows that the heads find first, each once, the image head's before the text head's.

        The case itself and its group are left out.

        Args:
            row: the query.
            counts: candidates of each head.
            moved: the retriever, with the query heads that search.
        """
        record = self.records[row]
        vectors = moved.query_vectors(self.vectors["image"][row : row + 1])
        ids, groups = {record.case_id}, {record.group} if record.group else set()
        found = [
            hit.candidate_id
            for head in HEADS
            if counts[head]
            for hit in self.view.search(vectors[head], head, counts[head], ids, groups)
        ]
        return [self._row_of[each] for each in dict.fromkeys(found)]
