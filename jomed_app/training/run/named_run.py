"""The working folder of a run that tunes models which a file names: what each stage leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from jomed_app.config.backbones import BackbonesConfig, NamedModels, ServedBackbonesConfig
from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task, load_task
from jomed_app.errors import ConfigError
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.reader.vlm.lora import TunedReader, attach_adapter
from jomed_app.models.source import ModelSource, find_model
from jomed_app.storage.durable import write_file
from jomed_app.training.run.device import training_accelerator, training_device

READER_STAGES = ("align", "reader", "rewards")  # in order: each goes on from the one before
ADAPTER = "adapter"
RETRIEVER = "retriever"
TUNED_FILE = "tuned.toml"


@dataclass(frozen=True, slots=True)
class NamedRun:
    """Folders of one run, and its models as the stages so far left them.

    Attributes:
        root: the run's folder.
        config: names the models, the task and the cases.
    """

    root: Path
    config: BackbonesConfig | ServedBackbonesConfig

    @property
    def task(self) -> Task:
        """What is asked."""
        task, question = load_task(self.config.task), self.config.question
        return task.model_copy(update={"question": question}) if question else task

    @property
    def reader_config(self) -> BackbonesConfig:
        """The configuration of a reader that runs here.

        Raises:
            ConfigError: if a server reads.
        """
        if not isinstance(self.config, BackbonesConfig):
            raise ConfigError(
                "a reader is tuned where its weights are, found a server as reader.url; name a "
                "model as reader.model, or train the stage retriever alone"
            )
        return self.config

    def cases(self) -> tuple[Path, list[CaseRecord]]:
        """Folder and records of the cases that teach.

        Raises:
            ConfigError: if no folder is named.
            RecordError: if it holds no case of that split.
        """
        if not self.config.data:
            raise ConfigError(
                "tuning requires the cases that it learns from, found no data; add --set data=DIR"
            )
        return load_corpus(self.task, Path(self.config.data), (self.config.split,))

    def folder(self, stage: str) -> Path:
        """Where a stage keeps its checkpoint and what it learned."""
        return self.root / stage

    def adapter(self, stage: str) -> Path:
        """Folder of a stage's adapter, as PEFT writes it."""
        return self.folder(stage) / ADAPTER

    @property
    def heads(self) -> Path:
        """Folder of the query heads."""
        return self.folder(RETRIEVER) / "heads"

    def adapter_before(self, stage: str) -> Path | None:
        """The adapter that a stage goes on from: the last stage's before it, else the file's own.

        Args:
            stage: of `READER_STAGES`; any other name stands behind all of them.
        """
        order = READER_STAGES.index(stage) if stage in READER_STAGES else len(READER_STAGES)
        for earlier in reversed(READER_STAGES[:order]):
            if self.adapter(earlier).is_dir():
                return self.adapter(earlier)
        named = self.config.reader.adapter if isinstance(self.config, BackbonesConfig) else ""
        return Path(named) if named else None

    def tunable_reader(
        self, stage: str, whole: Callable[[nn.Module], Sequence[str]] | None = None
    ) -> TunedReader:
        """Load the reader so that a stage can tune it: with the adapter before it, or a fresh one.

        Args:
            stage: that tunes it.
            whole: of the model, the names of modules of which a fresh adapter holds a copy that
                learns as a whole; None for none.

        Raises:
            ConfigError: if a server reads, or the model or an adapter is not here or does not fit.
            MemoryShortError: if the weights do not fit.
        """
        config = self.reader_config
        settings = config.reader.replaced(adapter="", merge_adapter=False)
        device = training_device()
        if settings.device == "auto" and device.type == "cuda":  # each process has one of its own
            settings = settings.replaced(device=str(device))
        reader, _ = load_vlm(self._reader_source(), settings)
        return attach_adapter(
            reader,
            rank=config.lora.rank,
            alpha=config.lora.alpha,
            dropout=config.lora.dropout,
            whole=() if whole is None else whole(reader.model),
            start=self.adapter_before(stage),
            seed=config.train_reader.seed,
        )

    def _reader_source(self) -> ModelSource:
        named = self.reader_config.reader
        return find_model(named.model, named.revision, "reader")

    def keep_adapter(self, stage: str, tuned: TunedReader) -> None:
        """Write what a stage tuned, name it in `tuned.toml`, forget what came of the reader before.

        Of several processes the first one writes.
        """
        if training_accelerator().is_main_process:
            source = self._reader_source()
            tuned.save(self.adapter(stage), source.name if source.revision else source.folder.name)
            self._forget_after(stage)
            self.keep_tuned()

    def _forget_after(self, stage: str) -> None:
        """Remove what later stages learned of a reader that has changed since."""
        for later in (*READER_STAGES[READER_STAGES.index(stage) + 1 :], RETRIEVER):
            shutil.rmtree(self.folder(later), ignore_errors=True)

    @property
    def tuned(self) -> BackbonesConfig | ServedBackbonesConfig:
        """The models as the file names them, with what the stages so far left."""
        heads = str(self.heads) if self.heads.is_dir() else self.config.retriever.heads
        config = self.config.replaced(retriever=self.config.retriever.replaced(heads=heads))
        if isinstance(config, BackbonesConfig) and (adapter := self.adapter_before(RETRIEVER)):
            return config.replaced(reader=config.reader.replaced(adapter=str(adapter)))
        return config

    def keep_tuned(self) -> None:
        """Write `tuned.toml`, which stands where a bundle does."""
        write_file(self.root / TUNED_FILE, _as_toml(self.tuned, self.root))


def _as_toml(config: NamedModels, root: Path) -> str:
    """A file of backbones, paths made absolute unless they lie in the folder of the file."""
    values = config.model_dump(mode="json", exclude_defaults=True)
    values |= {"task": config.task, "question": config.question}
    tables = {name: table for name, table in values.items() if isinstance(table, dict)}
    lines = [
        f"{name} = {_placed(value, root)}" for name, value in values.items() if name not in tables
    ]
    for name, table in tables.items():
        lines += ["", f"[{name}]"]
        lines += [f"{key} = {_placed(value, root)}" for key, value in table.items()]
    return "\n".join([*lines, ""])


def _placed(value: object, root: Path) -> str:
    """A value as TOML writes it; JSON's texts, numbers, truths and lists of texts are TOML's."""
    if isinstance(value, str) and value and Path(value).exists():
        path, home = Path(value).resolve(), root.resolve()
        value = path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
    return json.dumps(value, ensure_ascii=False)
