"""Export of large models: what was learned beside them, and the models themselves pinned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jomed_app.config.backbones import BackbonesConfig
from jomed_app.data.tasks import Task, load_task
from jomed_app.data.wording.prompts import NO_REFERENCE, candidate_text, query_text
from jomed_app.errors import BundleError
from jomed_app.inference.calibration.profile import read_profile
from jomed_app.inference.load import TASK_FILE
from jomed_app.models.retriever.kept_heads import HEADS_FILE
from jomed_app.models.source import ModelSource, find_model
from jomed_app.models.weights.pinned import ADAPTER_FOLDER, HEADS_FOLDER, SETTINGS_FILE
from jomed_app.progress import OnLoad, load_unseen
from jomed_app.storage.bundle import BundleManifest, TrainingInfo, write_manifest
from jomed_app.storage.durable import whole_folder
from jomed_app.storage.pinned import PinnedModel, PinnedPart, pin_model

PROFILES_FILE = "profiles.json"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
COPIED = (".json", ".safetensors")  # of a folder that training wrote; PEFT adds a page of its own
STAGES = ("rewards", "reader", "align")  # the last that was run holds what all of them learned
HEADS = "retriever/heads"


def make_pinned_bundle(
    config: BackbonesConfig,
    run: Path | None,
    out: Path,
    *,
    name: str,
    version: str,
    on_load: OnLoad = load_unseen,
) -> BundleManifest:
    """Write a sealed bundle of large models.

    Args:
        config: names the models and how they run.
        run: folder that training wrote to; None where nothing was trained here.
        out: bundle folder; an older one is replaced once the new one is whole.
        name: as shown on screen.
        version: as shown on screen.
        on_load: told how far the models' files are hashed.

    Returns:
        The manifest. It holds no profile where the run measured none: the page and the command
        line then say that its probabilities were never measured.

    Raises:
        BundleError: if a part of the run is missing or damaged.
        ConfigError: if a model that is named is not here.
        StorageError: if there is no room or no permission.
    """
    task = load_task(config.task)
    if config.question:
        task = task.model_copy(update={"question": config.question})
    adapter, stage = _adapter(config, run)
    heads = _heads(config, run)
    pinned: dict[PinnedPart, PinnedModel] = {
        "reader": _pinned(config.reader.model, config.reader.revision, "reader", on_load),
        "retriever": _pinned(
            config.retriever.model, config.retriever.revision, "retriever", on_load
        ),
    }
    with whole_folder(out) as folder:
        if adapter is not None:
            _copy(adapter, folder / ADAPTER_FOLDER, required=ADAPTER_FILES)
            _forget_base(folder / ADAPTER_FOLDER / ADAPTER_FILES[0], pinned["reader"])
        if heads is not None:
            _copy(heads, folder / HEADS_FOLDER, required=[HEADS_FILE])
        (folder / TASK_FILE).write_text(task.model_dump_json(indent=1), encoding="utf-8")
        settings = _settings(config, task)
        (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=1), encoding="utf-8")
        profiles = _profiles(run)
        stages = tuple(each for each in (stage, "retriever" if heads else "") if each)
        _write_card(folder, name, version, task, pinned, stages, bool(profiles))
        return write_manifest(
            folder,
            name=name,
            version=version,
            task=task.name,
            labels=task.labels,
            prompts={
                "query": query_text("{question}"),
                "candidate": candidate_text("{label}", "{passage}"),
                "no_candidate": NO_REFERENCE,
            },
            profiles=profiles,
            training=TrainingInfo(stages=stages, configs={"backbones": settings}),
            pinned=pinned,
        )


def _adapter(config: BackbonesConfig, run: Path | None) -> tuple[Path | None, str]:
    """The adapter to carry and the stage that wrote it; the run's goes before one that is named."""
    for stage in STAGES if run is not None else ():
        assert run is not None
        if (run / stage / "adapter" / ADAPTER_FILES[0]).is_file():
            return run / stage / "adapter", stage
    if config.reader.adapter:
        return Path(config.reader.adapter), "reader"
    if run is not None and _heads(config, run) is None:
        raise BundleError(
            f"a bundle of large models carries what was learned, found neither an adapter nor "
            f"query heads in '{run.name}'; train first, or leave --run out"
        )
    return None, ""


def _heads(config: BackbonesConfig, run: Path | None) -> Path | None:
    """The query heads to carry; those of the run win."""
    if run is not None and (run / HEADS / HEADS_FILE).is_file():
        return run / HEADS
    return Path(config.retriever.heads) if config.retriever.heads else None


def _pinned(model: str, revision: str, part: PinnedPart, on_load: OnLoad) -> PinnedModel:
    source = find_model(model, revision, part)
    return pin_model(source.folder, _public_name(source), source.revision or "", part, on_load)


def _public_name(source: ModelSource) -> str:
    """A Hub id, or the folder's own name: a bundle tells no place of the machine that made it."""
    return source.name if source.revision else source.folder.resolve().name


def _settings(config: BackbonesConfig, task: Task) -> dict[str, Any]:
    """How the models run, without the places of this machine."""
    values: dict[str, Any] = config.model_dump(mode="json")
    for part in ("reader", "retriever"):
        values[part]["model"] = Path(values[part]["model"]).name
    values["reader"]["adapter"] = values["retriever"]["heads"] = ""
    return values | {"task": task.name, "question": "", "data": ""}


def _copy(source: Path, target: Path, required: Sequence[str] = ()) -> None:
    if missing := [name for name in required if not (source / name).is_file()]:
        raise BundleError(
            f"a bundle requires '{missing[0]}' in '{source.name}', found none; train again"
        )
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.suffix in COPIED:
            shutil.copyfile(path, target / path.name)


def _forget_base(path: Path, reader: PinnedModel) -> None:
    """Name the base model in an adapter's settings as the bundle does, without its place."""
    values = json.loads(path.read_text(encoding="utf-8"))
    values |= {"base_model_name_or_path": reader.model, "revision": reader.revision or None}
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _profiles(run: Path | None) -> dict[Any, dict[str, Any]]:
    """What was fitted on cases that nothing was trained on, by kind of corpus; often nothing."""
    path = run / PROFILES_FILE if run is not None else None
    if path is None or not path.is_file():
        return {}
    try:
        stored = json.loads(path.read_bytes())
        return {kind: read_profile(each).to_dict() for kind, each in stored.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"'{PROFILES_FILE}' of a run must hold a profile by kind of corpus, found it damaged; "
            "measure again or remove it"
        ) from error


def _write_card(
    folder: Path,
    name: str,
    version: str,
    task: Task,
    pinned: dict[PinnedPart, PinnedModel],
    stages: tuple[str, ...],
    is_measured: bool,
) -> None:
    """Write `MODEL_CARD.md`."""
    measured = (
        "Probabilities were fitted on cases that nothing was trained on; see the manifest."
        if is_measured
        else "No calibration: its probabilities were never measured."
    )
    text = f"""# {name} {version}

Research demo. Not a medical device; not for diagnosis.

- Task: {task.title}; labels {", ".join(task.labels)}.
- Reader: {pinned["reader"].reference}. Retriever: {pinned["retriever"].reference}. Neither is in
  this folder; the manifest holds the hash of each of their files. Their own licences apply.
- Trained here: {", ".join(stages) if stages else "nothing"}.
- {measured}
"""
    (folder / "MODEL_CARD.md").write_text(text, encoding="utf-8")
