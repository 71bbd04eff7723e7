"""The case table: every case a stage may meet, its images, tokens and place in the folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.corpus import assign_folds
from jomed_app.data.records import CaseRecord
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import RetrieverProjections, encode_texts
from jomed_app.models.towers.tokens import pool_tokens
from jomed_app.training.cases.image_set import ImageSet, join_images, load_images
from jomed_app.training.cases.labeled import choose_labeled, load_real
from jomed_app.training.cases.tower_tokens import encode_corpus_tokens
from jomed_app.training.cases.visual_space import fit_visual
from jomed_app.training.run.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ReaderTable:
    """All cases a reader may meet in training, simulated ones first, with their candidates.

    Attributes:
        images: the case table.
        tokens: (N, T, C) tokens of the aligned tower.
        features: (N, F) pooled tower features.
        passages: (N, D) unit rows of the passages, text head.
        projections: aligned; the image head's space is fitted per fold (`fold_projections`).
        simulated, real, index: rows of the table; index rows are never trained on.
        folds: (len(real),) fold of every real case.
        labeled: real rows whose label and box weights may learn; None stands for all.
    """

    images: ImageSet
    tokens: Tensor
    features: Tensor
    passages: NDArray[np.float32]
    projections: RetrieverProjections
    simulated: NDArray[np.int64]
    real: NDArray[np.int64]
    folds: NDArray[np.int64]
    index: NDArray[np.int64]
    labeled: NDArray[np.int64] | None = None

    @property
    def records(self) -> Sequence[CaseRecord]:
        """The cases."""
        return self.images.records

    def training_rows(self, held_out: int | None) -> NDArray[np.int64]:
        """Real rows that a fold may know, as candidates; None holds nothing out."""
        return self.real if held_out is None else self.real[self.folds != held_out]

    def is_labeled(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(R,) whether the labels of real rows may be learned."""
        if self.labeled is None:
            return np.ones(len(rows), dtype=np.bool_)
        return np.isin(rows, self.labeled)

    def labeled_rows(self, held_out: int | None) -> NDArray[np.int64]:
        """Those of a fold's real rows whose labels may be learned; none where the share is 0."""
        rows = self.training_rows(held_out)
        return rows[self.is_labeled(rows)]

    def taught_rows(self, held_out: int | None) -> NDArray[np.int64]:
        """The same, and the simulated rows where there are none."""
        rows = self.labeled_rows(held_out)
        return rows if len(rows) else self.simulated

    def searched_rows(
        self, held_out: int | None, candidates: Literal["unseen", "labeled"]
    ) -> NDArray[np.int64]:
        """What phase 2 searches: see `RetrieverTrainingConfig.candidates`."""
        if candidates == "labeled":
            return self.taught_rows(held_out)
        rows = self.training_rows(held_out)
        unseen = rows[~self.is_labeled(rows)]
        several = len({self.records[int(row)].label for row in unseen}) > 1
        return unseen if several else rows

    def fold_projections(self, held_out: int | None) -> RetrieverProjections:
        """Projections whose image head was fitted on the images a fold may see, without labels."""
        rows = self.training_rows(held_out) if len(self.real) else self.simulated
        return fit_visual(self.projections, self.features[torch.from_numpy(rows)])

    @property
    def held_out(self) -> NDArray[np.int64]:
        """Real rows that stand in some fold."""
        rows: NDArray[np.int64] = self.real[self.folds >= 0]
        return rows

    def held_out_rows(self, fold: int) -> NDArray[np.int64]:
        """Real rows of one fold."""
        rows: NDArray[np.int64] = self.real[self.folds == fold]
        return rows


def load_reader_table(
    work: Workspace, reader: PackedReader, *, with_index: bool = False
) -> ReaderTable:
    """Read the simulated corpus and, where configured, the real set; encode all images once.

    Args:
        work: the run.
        reader: encodes the images.
        with_index: add the simulated cases of the embedded index, as candidates for evaluation.
    """
    settings = work.config.train_reader
    side = work.config.tower.image_size
    records = work.simulated("reader")
    images = load_images(work.corpus("reader"), records, side)
    real_records: list[CaseRecord] = []
    folds, is_labeled = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    if settings.data:
        folder, real_records = load_real(work)
        real = load_images(folder, real_records, side)
        images = join_images(images, real)
        folds = assign_folds(real_records, settings.folds, settings.fold_seed)
        is_labeled = choose_labeled(real_records, work.config.data)
    count, end = len(records), len(images.records)
    if with_index:
        work.simulate("index")
        indexed = work.simulated("index")
        images = join_images(images, load_images(work.corpus("index"), indexed, side))
    tokens = encode_corpus_tokens(reader, images, work.features)
    projections = work.projections()
    encoder, tokenizer = work.passage_encoder()
    encoded = encode_texts(encoder, tokenizer, [record.passage for record in images.records])
    with torch.no_grad():
        passages = projections.embed_passages(encoded.clone()).numpy()
    return ReaderTable(
        images,
        tokens,
        pool_tokens(tokens, reader.tower.config),
        passages,
        projections,
        np.arange(count),
        np.arange(count, end),
        folds,
        np.arange(end, len(images.records)),
        np.arange(count, end)[is_labeled],
    )
