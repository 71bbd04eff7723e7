"""The working folder of a training run: where each stage puts what the next one reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from jomed_app.config.load import JomedConfig
from jomed_app.data.records import CaseRecord, read_records
from jomed_app.data.tasks import Task, load_task
from jomed_app.errors import ConfigError
from jomed_app.models.adapters import attach_lora
from jomed_app.models.loading import build_llava
from jomed_app.models.number_type import compute_dtype
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import RetrieverConfig, RetrieverProjections
from jomed_app.models.towers.families import VisionTower, load_tower, load_tower_config
from jomed_app.models.towers.tokens import pooled_size
from jomed_app.simulator import write_cases
from jomed_app.storage.durable import whole_folder, write_file
from jomed_app.training.base_weights.minilm import convert_passage_encoder
from jomed_app.training.base_weights.smollm2 import convert_language_model
from jomed_app.training.base_weights.towers import convert_vision_tower
from jomed_app.training.reader.adopt import adopt_reader
from jomed_app.training.run.checkpoint import load_trainable
from jomed_app.training.run.loop import trainable_state

SEED_STEP = 100_000  # simulated corpora never share a seed
CORPORA = ("index", "align", "reader")
PROJECTOR_FILE = "projector.safetensors"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folders of one run and how to load what lies in them.

    Attributes:
        root: the run's folder.
        config: resolved configuration.
    """

    root: Path
    config: JomedConfig

    @property
    def task(self) -> Task:
        """The task that is trained."""
        return load_task(self.config.train_reader.task)

    def base(self, part: str) -> Path:
        """Folder of a base weight: tower, language or passages."""
        return (self.root if part == "language" else self._origin) / "base" / part

    def corpus(self, name: str) -> Path:
        """Folder of a simulated corpus: index, align or reader."""
        return self.root / "sim" / name

    @property
    def _origin(self) -> Path:
        """The run whose tower, passage encoder and alignment this one uses: its own, or another."""
        start = self.config.train_reader.start_from
        return Path(start) if start else self.root

    @property
    def align(self) -> Path:
        """Folder of the aligned tower and projections."""
        return self._origin / "align"

    def reader(self, name: str) -> Path:
        """Folder of a reader's checkpoint: `simulated`, `fold0` ... or `final`."""
        return self.root / "reader" / name

    def retriever(self, name: str) -> Path:
        """Folder of a fold's cached answers and trained query heads: `fold0` ... or `final`."""
        return self.root / "retriever" / name

    @property
    def features(self) -> Path:
        """Folder of what frozen towers said of whole sets; it can be removed at any time."""
        return self.root / "features"

    def reading(self, name: str, fold: str) -> Path:
        """File of what was read of a fold's held-out cases, in the way that `name` says."""
        return self.root / "cv" / f"{name}.{fold}.json"

    @staticmethod
    def joint_name(name: str, seed: int | str) -> str:
        """Name of a reading with the trained query heads of a seed; `*` stands for every one."""
        return f"{name}.joint{seed}"

    def forget_joint_readings(self, fold: str) -> None:
        """Remove what was read of a fold with its trained query heads, which are to change."""
        self._forget_readings(fold, self.joint_name("*", "*"))

    def forget_answers(self, fold: str) -> None:
        """Remove what came of a fold's reader, which has changed.

        That is: its cached answers, the query heads that learned from them, and all that was read
        of the held-out cases.
        """
        shutil.rmtree(self.retriever(fold), ignore_errors=True)
        self._forget_readings(fold, "raw*")

    def _forget_readings(self, fold: str, names: str) -> None:
        every = self.reading(names, fold)
        for path in every.parent.glob(every.name):
            path.unlink()

    @staticmethod
    def fold_name(fold: int | None) -> str:
        """Name of what was trained with a fold held out; None stands for all cases together."""
        return "final" if fold is None else f"fold{fold}"

    def localizer(self, name: str) -> Path:
        """Folder of a localizer: `simulated`, `fold0` ... or `final`."""
        return self.root / "localizer" / name

    def tuned(self, name: str) -> Path:
        """Folder of a localizer that was tuned with rewards, of the same name."""
        return self.root / "rewards" / name

    def chosen_localizer(self, name: str) -> Path:
        """Folder of the localizer that is read with and exported: tuned, or as it was trained."""
        return self.tuned(name) if self._ships("localizer") else self.localizer(name)

    def tuned_reader(self, name: str) -> Path:
        """Folder of a reader that was tuned with rewards on its own text, of the same name."""
        return self.root / "text_rewards" / name

    def chosen_reader(self, name: str) -> Path:
        """Folder of the reader's checkpoint that is read with and exported, likewise."""
        return self.tuned_reader(name) if self._ships("reader") else self.reader(name)

    def _ships(self, part: str) -> bool:
        """Whether what rewards made of a part takes the place of what supervision made."""
        rewards = self.config.train_rewards
        return rewards.ship and rewards.tunes == part

    @property
    def shipped(self) -> str:
        """Name of the reader and localizer that the bundle carries."""
        settings = self.config.train_reader
        if not settings.data:
            return "simulated"
        return "final" if settings.shipped_fold < 0 else f"fold{settings.shipped_fold}"

    @property
    def trained_folds(self) -> list[int | None]:
        """Folds to train with one held out each; None stands for all cases together."""
        settings = self.config.train_reader
        if not settings.data:
            return []
        return [*range(settings.folds), *([None] if settings.shipped_fold < 0 else [])]

    def prepare_base(self) -> None:
        """Convert the base weights that are not there yet."""
        words = self.task.answer_words
        reader = self.config.reader
        if not (self.base("tower") / "config.json").is_file():
            with whole_folder(self.base("tower")) as folder:
                convert_vision_tower(folder, self.config.tower)
        if not (self.base("language") / "tokenizer.json").is_file():
            with whole_folder(self.base("language")) as folder:
                convert_language_model(
                    folder,
                    num_layers=reader.num_layers,
                    vocabulary_size=reader.vocabulary_size,
                    location_bins=reader.location_bins,
                    words=words,
                )
        if not (self.base("passages") / "tokenizer.json").is_file():
            with whole_folder(self.base("passages")) as folder:
                convert_passage_encoder(
                    folder, vocabulary_size=self.config.retriever.vocabulary_size, texts=words
                )

    def simulate(self, name: str, on_case: Callable[[int, int], None] | None = None) -> None:
        """Simulate one of the corpora, where the task has a simulator; goes on where it stopped."""
        if not self.task.simulator:
            return
        settings = self.config.simulation
        counts = {
            "index": settings.index_count,
            "align": settings.align_count,
            "reader": settings.reader_count,
        }
        write_cases(
            counts[name],
            self.corpus(name),
            seed=settings.seed + SEED_STEP * CORPORA.index(name),
            size_px=settings.size_px,
            on_case=on_case,
        )

    def simulated(self, name: str) -> list[CaseRecord]:
        """Records of a simulated corpus; none where the task has no simulator.

        A class that is left out of the weights stays in the index.
        """
        records = read_records(self.corpus(name)) if self.task.simulator else []
        left_out = "" if name == "index" else self.config.data.left_out
        return [record for record in records if record.label != left_out]

    def passage_encoder(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """The frozen passage encoder (fp32) and its tokenizer."""
        encoder = AutoModel.from_pretrained(self.base("passages"), dtype=torch.float32)
        encoder.eval()
        return encoder, AutoTokenizer.from_pretrained(self.base("passages"))

    def fresh_tower(self) -> VisionTower:
        """The base tower, ready to train."""
        tower = load_tower(self.base("tower"))
        tower.to(memory_format=torch.channels_last)  # type: ignore[call-arg]
        return tower

    def fresh_projections(self) -> RetrieverProjections:
        """Untrained projections of the configured width."""
        return RetrieverProjections(
            RetrieverConfig(
                feature_size=pooled_size(load_tower_config(self.base("tower"))),
                dim=self.config.retriever.dim,
                query_mix=self.config.retriever.query_mix,
            )
        )

    def projections(self) -> RetrieverProjections:
        """The aligned projections.

        Raises:
            ConfigError: if the stage `align` has not been run.
        """
        folder = self.align / "projections"
        if not folder.is_dir():
            raise ConfigError("the reader requires the stage 'align'; run: train align first")
        projections = RetrieverProjections.from_pretrained(folder)
        projections.config.query_mix = self.config.retriever.query_mix  # of heads yet to learn
        projections.train(False)
        return projections

    def plain_reader(self) -> PackedReader:
        """The aligned tower and the language model; the projector as `align` left it, or fresh.

        All runs in the machine's faster number type; nothing is set to learn.
        """
        tokenizer = AutoTokenizer.from_pretrained(self.base("language"))
        settings = self.config.reader
        torch.manual_seed(self.config.train_reader.seed)
        image_id = tokenizer.get_vocab()["<image>"]
        model = build_llava(self.align / "tower", self.base("language"), image_id)
        if (self.align / PROJECTOR_FILE).is_file():
            projector = model.model.multi_modal_projector
            projector.load_state_dict(load_file(self.align / PROJECTOR_FILE))
        model.to(compute_dtype())  # type: ignore[arg-type]
        model.model.vision_tower.to(memory_format=torch.channels_last).requires_grad_(False)
        return PackedReader(
            model,
            tokenizer,
            location_bins=settings.location_bins,
            candidate_pool=settings.candidate_pool,
        )

    def keep_projector(self, reader: PackedReader) -> None:
        """Write a reader's projector where `plain_reader` finds it."""
        state = reader.model.model.multi_modal_projector.state_dict()
        plain = {name: value.float().contiguous() for name, value in state.items()}
        write_file(self.align / PROJECTOR_FILE, save(plain))

    def trainable_reader(self, start: Path | None = None) -> tuple[PackedReader, nn.Module]:
        """The aligned tower and the language model with adapters, from a checkpoint if given.

        Returns:
            The reader and the PEFT model that holds its adapters.
        """
        reader = self.plain_reader()
        model, settings = reader.model, self.config.reader
        adapted = attach_lora(model, settings.lora_rank, settings.lora_alpha)
        model.model.vision_tower.requires_grad_(False)
        if start is not None:
            load_trainable(trainable_state({"reader": model}), start)
        return reader, adapted

    def starting_reader(self) -> tuple[PackedReader, nn.Module]:
        """What tuning on real cases starts from: the reader tuned on simulated pairs.

        It is this run's own, or, with `start_from`, that of another run.

        Raises:
            BundleError: if that reader is not there or does not fit.
        """
        if not self.config.train_reader.start_from:
            return self.trainable_reader(self.reader("simulated"))
        reader, adapted = self.trainable_reader()
        words = AutoTokenizer.from_pretrained(self._origin / "base" / "language")
        adopt_reader(reader, self._origin / "reader" / "simulated", words)
        return reader, adapted


def groups_of(records: Sequence[CaseRecord]) -> list[str]:
    """The group of every case; a case without one stands alone."""
    return [record.group or record.case_id for record in records]
