"""The case table: every case a stage may meet, its images, tokens and place in the folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.corpus import assign_folds, load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.models.reader.packed import Reader
from jomed_app.models.retriever.embedded import RetrieverProjections, encode_texts, pool_tokens
from jomed_app.training.cases.image_set import ImageSet, join_images, load_images
from jomed_app.training.cases.visual_space import fit_visual
from jomed_app.training.reader.train import encode_corpus_tokens
from jomed_app.training.run.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ReaderTable:
    """All cases a reader may meet in training, simulated ones first, with their candidates.

    Attributes:
        images: the case table.
        tokens: (N, P, C) patch tokens of the aligned tower.
        features: (N, F) pooled tower features.
        passages: (N, D) unit rows of the passages, text head.
        projections: aligned; the image head's space is fitted per fold (`fold_projections`).
        simulated, real, index: rows of the table; index rows are never trained on.
        folds: (len(real),) fold of every real case.
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

    @property
    def records(self) -> Sequence[CaseRecord]:
        """The cases."""
        return self.images.records

    def training_rows(self, held_out: int | None) -> NDArray[np.int64]:
        """Real rows that a fold may train on; None trains on all."""
        return self.real if held_out is None else self.real[self.folds != held_out]

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


def load_reader_table(work: Workspace, reader: Reader, *, with_index: bool = False) -> ReaderTable:
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
    folds = np.zeros(0, dtype=np.int64)
    if settings.data:
        folder, real_records = load_corpus(work.task, Path(settings.data), ("train", "val"))
        real = load_images(folder, real_records, side)
        images = join_images(images, real)
        folds = assign_folds(real_records, settings.folds, settings.fold_seed)
    count, end = len(records), len(images.records)
    if with_index:
        work.simulate("index")
        indexed = work.simulated("index")
        images = join_images(images, load_images(work.corpus("index"), indexed, side))
    tokens = encode_corpus_tokens(reader, images)
    vision = reader.model.config.vision_config
    projections = work.projections()
    encoder, tokenizer = work.passage_encoder()
    encoded = encode_texts(encoder, tokenizer, [record.passage for record in images.records])
    with torch.no_grad():
        passages = projections.embed_passages(encoded.clone()).numpy()
    return ReaderTable(
        images,
        tokens,
        pool_tokens(tokens, int(vision.position_dim)),
        passages,
        projections,
        np.arange(count),
        np.arange(count, end),
        folds,
        np.arange(end, len(images.records)),
    )
