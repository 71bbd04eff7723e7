"""What the alignment benchmark's runs share: triples, kept views, encoded texts, questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.sources.slake import read_slake_questions
from jomed_app.models.retriever.embedded import encode_texts
from jomed_app.progress import show_progress
from jomed_app.training.align.train import ViewMaps, encode_wordings, keep_views
from jomed_app.training.align.triples import load_triples
from jomed_app.training.cases.image_set import ImageSet, join_images, load_images
from jomed_app.training.run.workspace import Workspace

NUM_SIMULATED = 300  # held-out simulated pairs for recall


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything the runs share; nothing in it learns.

    Attributes:
        work: folders and base weights.
        train: all triples; maps: of their kept views.
        passages: (N, T) encoded descriptions and extended ones.
        held: held-out pairs, with source name, maps and encoded description.
        question_rows: row of `train` or, behind them, of `held` per question.
    """

    work: Workspace
    train: ImageSet
    maps: ViewMaps
    passages: list[Tensor]
    held: ImageSet
    held_maps: ViewMaps
    held_passages: Tensor
    held_sources: NDArray[np.str_]
    questions: Tensor
    answers: list[str]
    question_rows: NDArray[np.int64]
    question_is_training: NDArray[np.bool_]


def prepare(work: Workspace, out: Path) -> Bench:
    """Read all sets, compute the stride-16 maps of every view once and keep them in a file."""
    work.prepare_base()
    work.simulate("align")
    work.simulate("reader")
    config = work.config.align
    train = load_triples(work, config)
    outside = load_triples(work, config, held_out=True)
    records = work.simulated("reader")[:NUM_SIMULATED]
    extra = load_images(work.corpus("reader"), records, work.config.tower.image_size)
    held = join_images(outside, extra)
    sources = np.array([each.provenance.get("source", "") for each in held.records])
    kept = out / "views.pt"
    if not kept.is_file():
        tower = work.fresh_tower()
        with show_progress("views", out / "views.log") as on_progress:
            views = keep_views(tower, train, config.num_views, config.seed, on_progress=on_progress)
        apart = keep_views(tower, held, 1, 0)
        encoder, tokenizer = work.passage_encoder()
        asked = list(read_slake_questions(Path(config.data))["question"])
        texts = (
            *encode_wordings(encoder, tokenizer, train.records),
            encode_wordings(encoder, tokenizer, held.records)[0],
            encode_texts(encoder, tokenizer, asked).clone(),
        )
        parts = [(each.kept, each.boxes) for each in (views, apart)]
        torch.save((*parts, texts), kept)
    first, second, texts = torch.load(kept, weights_only=True)
    questions = read_slake_questions(Path(config.data))
    place = {each.image: row for row, each in enumerate([*train.records, *held.records])}
    has_image = np.array([image in place for image in questions["image"]])
    questions = questions[has_image]
    return Bench(
        work=work,
        train=train,
        maps=ViewMaps(*first),
        passages=list(texts[:2]),
        held=held,
        held_maps=ViewMaps(*second),
        held_passages=texts[2],
        held_sources=sources,
        questions=texts[3][torch.from_numpy(has_image)],
        answers=list(questions["answer"]),
        question_rows=np.array([place[image] for image in questions["image"]]),
        question_is_training=np.array(questions["split"] == "train"),
    )
