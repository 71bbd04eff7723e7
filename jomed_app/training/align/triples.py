"""Triples that alignment learns from: image, description, extended description, of several sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from jomed_app.config.training import AlignConfig
from jomed_app.data.licences import without_noncommercial
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.busi import read_busi
from jomed_app.data.sources.medpix import read_medpix
from jomed_app.data.sources.slake import read_slake
from jomed_app.data.wording.extended import extend_description
from jomed_app.errors import ConfigError
from jomed_app.training.cases.image_set import ImageSet, join_images, load_images
from jomed_app.training.cases.labeled import hidden_ids
from jomed_app.training.run.workspace import Workspace

SIMULATED = "simulated"
READERS: dict[str, Callable[[Path], tuple[Path, list[CaseRecord]]]] = {
    "busi": read_busi,
    "slake": read_slake,
    "medpix": read_medpix,
}
HAS_ALL_BOXES = (SIMULATED, "busi")  # where no box means no finding
HELD_OUT = "val"
LABEL_FREE = ("busi",)  # texts word no label, so cases that are validated on may take part


def load_triples(work: Workspace, config: AlignConfig, *, held_out: bool = False) -> ImageSet:
    """Read the configured sources.

    Args:
        work: the run; its simulated corpus `align` is one source.
        config: sources, data root, fraction and seed.
        held_out: the cases that training leaves out, of the public sets, instead; never a fraction.

    Raises:
        ConfigError: if a source is unknown, or needs a data root that is not given.
    """
    parts = []
    for name in config.sources:
        folder, records = read_source(work, config, name, held_out=held_out)
        if not records:
            continue
        images = load_images(folder, records, work.config.tower.image_size)
        known = torch.full((len(records),), name in HAS_ALL_BOXES)
        parts.append(replace(images, annotated=known))
    if not parts:
        raise ConfigError(
            f"alignment requires one triple or more, {list(config.sources)} hold none"
        )
    return join_images(*parts)


def read_source(
    work: Workspace, config: AlignConfig, name: str, *, held_out: bool = False
) -> tuple[Path, list[CaseRecord]]:
    """Records of one source, thinned out to the configured fraction; see `load_triples`."""
    if name == SIMULATED:
        folder, records = work.corpus("align"), [] if held_out else work.simulated("align")
    elif name not in READERS:
        known = [SIMULATED, *READERS]
        raise ConfigError(f"align.sources must be among {known}, found '{name}'")
    elif not config.data:
        raise ConfigError(
            f"align.data must be the root of the public sets to read '{name}', found none"
        )
    else:
        folder, records = READERS[name](Path(config.data))
        hidden = frozenset() if held_out else hidden_ids(work)
        records = [
            each
            for each in records
            if _takes_part(each, name, held_out) and each.case_id not in hidden
        ]
        if not work.config.data.noncommercial:
            records = without_noncommercial(records)
    if held_out:
        return folder, records
    return folder, thinned_out(records, config.fraction, config.seed)


def _takes_part(record: CaseRecord, source: str, held_out: bool) -> bool:
    """Whether a case is on the asked side; nothing of a test split ever is."""
    is_held_out = record.split == HELD_OUT and source not in LABEL_FREE
    return record.split != "test" and is_held_out == held_out


def thinned_out(records: Sequence[CaseRecord], fraction: float, seed: int) -> list[CaseRecord]:
    """Keep a share of the cases, at least one, drawn by seed; order is kept.

    A smaller share is part of every larger one of the same seed.
    """
    if not records:
        return []
    count = max(1, round(fraction * len(records)))
    kept = np.random.default_rng([seed, 23]).permutation(len(records))[:count]
    return [records[row] for row in sorted(kept.tolist())]


def extended_texts(records: Sequence[CaseRecord]) -> list[str]:
    """The extended description of every case; made by rule where a set brings none."""
    return [each.extended_passage or extend_description(each.passage) for each in records]
