"""The stage `align` of a reader that a file names: its projector, then projector and adapter."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from jomed_app.config.backbones import BackbonesConfig, ServedBackbonesConfig
from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError
from jomed_app.imaging import read_image
from jomed_app.models.reader.protocol import RgbImage
from jomed_app.models.reader.vlm.projector import projector_names
from jomed_app.progress import OnProgress
from jomed_app.training.align.triples import extended_texts
from jomed_app.training.align.vlm.train import Alignment, Triple
from jomed_app.training.cases.labeled import load_teaching
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.named_run import NamedRun

STAGE = "align"


def named_align_stage(
    config: BackbonesConfig | ServedBackbonesConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Align on the cases' passages; writes `align/adapter`, the projector in it, and `tuned.toml`.

    Returns:
        The log of the steps run now, of both parts.

    Raises:
        ConfigError: if a server reads, an adapter is named, no cases are, a model does not fit, or
            as `Alignment` and `projector_names`.
        MemoryShortError: if the weights or a batch do not fit.
    """
    run = NamedRun(out, config)
    settings = run.reader_config.align
    if named := run.reader_config.reader.adapter:
        raise ConfigError(
            "aligning starts from the model as it is, before any other tuning, found the adapter "
            f"'{Path(named).name}'; leave it out"
        )
    folder, records = load_teaching(run)
    longer = extended_texts(records)
    triples = [
        Triple(partial(_image, folder, record), record.passage, text)
        for record, text in zip(records, longer, strict=True)
    ]
    tuned = run.tunable_reader(STAGE, whole=projector_names)
    alignment = Alignment(tuned, triples, settings, run.reader_config.graph)
    history = []
    if settings.projector_steps:
        history += alignment.train_projector(
            run.folder(STAGE) / "projector", resume=resume, on_progress=on_progress
        )
    if settings.steps:
        history += alignment.train_both(
            run.folder(STAGE) / "both", resume=resume, on_progress=on_progress
        )
    if history or not run.adapter(STAGE).is_dir():
        run.keep_adapter(STAGE, tuned)
    return history


def _image(folder: Path, record: CaseRecord) -> RgbImage:
    """The whole image, as the app reads an index's."""
    return read_image(record.image_in(folder), region=None).model_input
