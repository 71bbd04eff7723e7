"""The stage `align`: read what lies in the workspace, align, write back."""

from __future__ import annotations

from pathlib import Path

import torch

from jomed_app.config.load import JomedConfig
from jomed_app.models.loading import Precision
from jomed_app.models.towers.storage import as_stored
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import added_files
from jomed_app.training.align.language import train_projector
from jomed_app.training.align.losses import named_losses
from jomed_app.training.align.token_scale import standardize_tokens
from jomed_app.training.align.train import (
    KeptTokens,
    KeptViews,
    TokenSource,
    encode_wordings,
    keep_views,
    train_align,
)
from jomed_app.training.align.triples import extended_texts, load_triples
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.cases.kept_features import Views, keep_tokens
from jomed_app.training.cases.tower_tokens import encode_corpus_tokens
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace


def align_stage(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Convert base weights, simulate, align; writes `align/{tower,projections,projector}`.

    The tower that is written holds its weights as a bundle's will be: what learns behind it sees
    what is shipped.

    Raises:
        ConfigError: if `align.loss` names a loss that is none; before anything is made.
    """
    settings = config.align
    named_losses(settings.loss)
    work = Workspace(out, config)
    work.prepare_base()
    work.simulate("align", on_progress)
    torch.manual_seed(settings.seed)
    tower, projections = work.fresh_tower(), work.fresh_projections()
    stored = Precision(config.tower.storage)
    if settings.trained == "none":
        tower = as_stored(tower, stored)
    encoder, tokenizer = work.passage_encoder()
    images = load_triples(work, settings)
    standardize_tokens(tower, images)
    source: TokenSource | None = None
    if settings.trained == "last":
        maps = keep_views(tower, images, settings.num_views, settings.seed, on_progress=on_progress)
        source = KeptViews(tower, maps)
    elif settings.trained == "none":
        views = Views(settings.num_views, settings.seed)
        source = KeptTokens(
            *keep_tokens(tower, images, views, work.features, on_progress=on_progress)
        )
    train_align(
        tower,
        projections,
        images,
        encode_wordings(encoder, tokenizer, images.records),
        settings,
        work.align,
        graph=config.graph,
        source=source,
        resume=resume,
        on_progress=on_progress,
    )
    if settings.trained != "none":
        tower = as_stored(tower, stored)
    with added_files(work.align) as beside:
        tower.save_pretrained(beside / "tower")
        projections.save_pretrained(beside / "projections")
    if settings.language_steps:
        describe_images(work, images, resume=resume, on_progress=on_progress)


def describe_images(
    work: Workspace,
    images: ImageSet,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> None:
    """Train the projector beside the frozen language model; writes `align/projector`."""
    reader = work.plain_reader()
    train_projector(
        reader,
        encode_corpus_tokens(reader, images, work.features),
        [record.passage for record in images.records],
        extended_texts(images.records),
        work.config.align,
        work.config.graph,
        work.align / "describe",
        resume=resume,
        on_progress=on_progress,
    )
    work.keep_projector(reader)
