"""A case table of noise images around a tiny reader: three simulated and 15 real cases."""

from __future__ import annotations

import numpy as np
import torch

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import load_task
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import pool_tokens
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.cases.tower_tokens import encode_corpus_tokens
from tests.tiny_models import build_tiny_retriever

TASK = load_task("breast")
TWINS = {6: "pair", 7: "pair"}


def noise_record(place: int) -> CaseRecord:
    """The case of a row; labels go round."""
    return CaseRecord(
        case_id=f"c{place}",
        image=f"{place}.png",
        label=TASK.labels[place % 3],
        passage=f"passage {place}",
        group=TWINS.get(place, ""),
        rows=64,
        columns=64,
        boxes=() if place % 3 == 0 else ((8, 8, 24, 24),),
    )


def noise_table(reader: PackedReader) -> ReaderTable:
    """Folds are 0, 1, 2 in turn but for the twins."""
    rng = np.random.default_rng(0)
    squares = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(18)]
    squares[7] = squares[6]
    records = [noise_record(place) for place in range(18)]
    images = ImageSet(records, squares, torch.full((18, 4), torch.nan))
    retriever = build_tiny_retriever(2, image_size=64)
    tokens = encode_corpus_tokens(reader, images)
    folds = np.arange(15) // 3 % 3
    folds[[3, 4]] = 1  # rows 6 and 7
    return ReaderTable(
        images,
        tokens,
        pool_tokens(tokens, reader.tower.config),
        retriever.encode_passages([each.passage for each in records]),
        retriever.projections,
        np.arange(3),
        np.arange(3, 18),
        folds,
        np.arange(18, 18),
    )
