"""The stages as the command line runs them: read what lies in the workspace, train, write back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.config import JomedConfig
from jomed_app.data.corpus import assign_folds, load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.models.reader import Reader
from jomed_app.models.retriever import RetrieverProjections, encode_texts, pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.training.align import (
    ImageSet,
    encode_wordings,
    fit_visual,
    load_images,
    train_align,
)
from jomed_app.training.loop import no_progress
from jomed_app.training.reader import (
    build_pool,
    encode_corpus_tokens,
    train_reader,
)
from jomed_app.training.sampling import Pool, RowSampler
from jomed_app.training.workspace import Workspace, groups_of

logger = logging.getLogger(__name__)


def align_stage(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Convert base weights, simulate, align; writes `align/{tower,projections}`."""
    work = Workspace(out, config)
    work.prepare_base()
    work.simulate("align", on_progress)
    records = work.simulated("align")
    torch.manual_seed(config.align.seed)
    tower, projections = work.fresh_tower(), work.fresh_projections()
    encoder, tokenizer = work.passage_encoder()
    images = load_images(work.corpus("align"), records, config.tower.image_size)
    wordings = encode_wordings(encoder, tokenizer, records)
    train_align(
        tower,
        projections,
        images,
        wordings,
        config.align,
        work.align,
        resume=resume,
        on_progress=on_progress,
    )
    tower.save_pretrained(work.align / "tower")
    projections.save_pretrained(work.align / "projections")


@dataclass(frozen=True, slots=True)
class ReaderTable:
    """All cases a reader may meet in training, simulated ones first, with their candidates.

    Attributes:
        images: the case table.
        tokens: (N, P, C) patch tokens of the aligned tower.
        features: (N, F) pooled tower features.
        passages: (N, D) unit rows of the passages, text head.
        projections: aligned; the image head's space is fitted per fold (`fold_projections`).
        simulated, real: rows of the table.
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

    def held_out_rows(self, fold: int) -> NDArray[np.int64]:
        """Real rows of one fold."""
        rows: NDArray[np.int64] = self.real[self.folds == fold]
        return rows


def load_reader_table(work: Workspace, reader: Reader) -> ReaderTable:
    """Read the simulated corpus and, where configured, the real set; encode all images once."""
    settings = work.config.train_reader
    side = work.config.tower.image_size
    records = work.simulated("reader")
    images = load_images(work.corpus("reader"), records, side)
    real_records: list[CaseRecord] = []
    folds = np.zeros(0, dtype=np.int64)
    if settings.data:
        folder, real_records = load_corpus(work.task, Path(settings.data), ("train", "val"))
        real = load_images(folder, real_records, side)
        images = ImageSet(
            [*records, *real_records],
            [*images.squares, *real.squares],
            torch.cat([images.boxes, real.boxes]),
        )
        folds = assign_folds(real_records, settings.folds, settings.fold_seed)
    tokens = encode_corpus_tokens(reader, images)
    vision = reader.model.config.vision_config
    projections = work.projections()
    encoder, tokenizer = work.passage_encoder()
    encoded = encode_texts(encoder, tokenizer, [record.passage for record in images.records])
    with torch.no_grad():
        passages = projections.embed_passages(encoded.clone()).numpy()
    count = len(records)
    return ReaderTable(
        images,
        tokens,
        pool_tokens(tokens, int(vision.position_dim)),
        passages,
        projections,
        np.arange(count),
        np.arange(count, count + len(real_records)),
        folds,
    )


def tune_on_simulated(
    work: Workspace,
    reader: Reader,
    table: ReaderTable,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> None:
    """Teach reading, describing and locating on simulated pairs; all folds start from here."""
    settings = work.config.train_reader
    config = replace(settings, steps=settings.simulated_steps)
    pool = _pool(table, None, table.simulated, table.simulated)
    shares = {int(row): {"simulated": 1.0} for row in table.simulated}
    sampler = RowSampler(work.task, table.records, {"simulated": pool}, shares, config)
    train_reader(
        reader,
        table.images,
        table.tokens,
        sampler,
        table.simulated,
        config,
        work.reader("simulated"),
        resume=resume,
        on_progress=on_progress,
    )


def tune_on_mixture(
    work: Workspace,
    reader: Reader,
    table: ReaderTable,
    held_out: int | None,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> None:
    """Go on with real cases, one fold held out (None: all of them), and some simulated ones."""
    settings = work.config.train_reader
    config = replace(settings, lr=settings.lr / 2)
    real = table.training_rows(held_out)
    pools = {
        "real": _pool(table, held_out, real, real),
        "simulated": _pool(
            table, held_out, np.concatenate([real, table.simulated]), table.simulated
        ),
    }
    share = settings.real_candidate_share
    shares: dict[int, Mapping[str, float]] = {
        int(row): {"real": share, "simulated": 1 - share} for row in real
    }
    shares |= {int(row): {"simulated": 1.0} for row in table.simulated}
    count = round(len(real) * (1 / settings.real_share - 1)) if settings.real_share else 0
    rng = np.random.default_rng([settings.seed, 11])
    extra = rng.choice(table.simulated, size=min(count, len(table.simulated)), replace=False)
    sampler = RowSampler(work.task, table.records, pools, shares, config)
    train_reader(
        reader,
        table.images,
        table.tokens,
        sampler,
        np.concatenate([real, extra]),
        config,
        work.reader("final" if held_out is None else f"fold{held_out}"),
        resume=resume,
        on_progress=on_progress,
    )


def reader_stage(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Tune the reader: simulated pairs, then each fold of the real cases, then all of them."""
    work = Workspace(out, config)
    work.simulate("reader", on_progress)
    reader, _ = work.trainable_reader()
    table = load_reader_table(work, reader)
    tune_on_simulated(work, reader, table, resume=resume, on_progress=on_progress)
    folds: list[int | None] = [*range(config.train_reader.folds), None] if len(table.real) else []
    for fold in folds:
        reader, _ = work.trainable_reader(work.reader("simulated"))
        tune_on_mixture(work, reader, table, fold, resume=resume, on_progress=on_progress)


def _pool(
    table: ReaderTable,
    held_out: int | None,
    queries: NDArray[np.int64],
    members: NDArray[np.int64],
) -> Pool:
    with torch.no_grad():
        embeddings = table.fold_projections(held_out).embed_features(table.features, "image")
    return build_pool(embeddings.numpy(), groups_of(table.records), queries, members)
