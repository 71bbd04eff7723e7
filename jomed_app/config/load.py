"""Configuration: frozen values, read from TOML, checked on the way in. Nothing is built here.

Add a setting by adding a field with `setting(...)`; loading, overrides, range checks, error texts
and storage follow from the declaration.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jomed_app.config.localizer import LocalizerTrainingConfig, RewardTuningConfig
from jomed_app.config.settings import Section, apply_override, build_section, setting
from jomed_app.config.training import (
    AlignConfig,
    GraphConfig,
    QuestionTrainingConfig,
    ReaderTrainingConfig,
    RetrieverTrainingConfig,
)
from jomed_app.errors import ConfigError

CONFIG_FOLDER = Path(__file__).parent

RETIRED = (("train_retriever", "num_views"),)  # section and key that older runs still hold


@dataclass(frozen=True, slots=True)
class TowerConfig(Section):
    """The vision tower that retriever and reader share.

    Attributes:
        name: model type known to transformers' Auto classes, or a model id for a large backbone.
        image_size: side of the square model input, px.
    """

    name: str = "efficientnet_lite"
    image_size: int = setting(256, low=32, high=1024)


@dataclass(frozen=True, slots=True)
class ReaderConfig(Section):
    """The vision-language model that reads one candidate at a time beside the query.

    Attributes:
        backbone: "embedded", or the id or folder of a transformers image-text-to-text model.
        num_layers: language layers kept, counted from the first; 0 keeps all.
        vocabulary_size: tokens kept after pruning; 0 keeps all.
        lora_rank: rank of the adapters on all linear layers; alpha is twice the rank.
        location_bins: location tokens per axis, boxes are written with them.
        candidate_pool: a candidate's patch tokens are average-pooled by this factor per axis.
        quantization: how the frozen weights are stored in the bundle.
    """

    backbone: str = "embedded"
    num_layers: int = setting(12, low=0, high=128)  # ours: read in well under a second on 2 cores
    vocabulary_size: int = setting(8192, low=0)  # ours: the embedding table is 28 M of 135 M
    lora_rank: int = setting(16, low=1, high=256)  # ours; the authors' framework default is 8
    location_bins: int = setting(64, low=8, high=1024)  # ours
    candidate_pool: int = setting(2, low=1, high=8)  # ours: short rows pay back in every answer
    quantization: Literal["none", "int8", "nf4"] = "nf4"

    @property
    def lora_alpha(self) -> int:
        """Twice the rank: the default of the framework that the authors trained with."""
        return 2 * self.lora_rank


@dataclass(frozen=True, slots=True)
class RetrieverConfig(Section):
    """Dual encoder: a frozen base for the index and a trainable head per search.

    Attributes:
        backbone: "embedded", or the id or folder of a dual encoder.
        dim: length of every embedding, unit norm.
        query_mix: m in q_h = (1 - m) f0(x) + m f_h(x), in [0, 1].
        vocabulary_size: word pieces of the passage encoder kept, the most frequent ones.
    """

    backbone: str = "embedded"
    dim: int = setting(256, low=8, high=4096)  # ours; the paper's encoder has 768
    query_mix: float = setting(0.15, low=0.0, high=1.0)  # arXiv:2508.17394, authors' code
    vocabulary_size: int = setting(12000, low=2000)  # ours: half of it is never met


@dataclass(frozen=True, slots=True)
class IndexConfig(Section):
    """What is searched, and how much of it comes back.

    Attributes:
        k_per_head: hits per head; both heads' hits are merged, duplicates once.
        thumb_px: longer side of the stored candidate images, px.
    """

    k_per_head: int = setting(2, low=1, high=50)  # arXiv:2508.17394, authors' code: 2 + 2
    thumb_px: int = setting(256, low=64, high=1024)


@dataclass(frozen=True, slots=True)
class SimulationConfig(Section):
    """The simulated breast ultrasound corpus.

    Attributes:
        index_count, align_count, reader_count: cases of the three corpora, which share none: the
            embedded index, the stage `align` and the stage `reader`.
        seed: first seed of the index; the other corpora start 100,000 and 200,000 later.
        size_px: longer side of each image, px.
    """

    index_count: int = setting(480, low=2, high=100_000)
    align_count: int = setting(1400, low=2, high=100_000)
    reader_count: int = setting(1200, low=2, high=100_000)
    seed: int = setting(0, low=0)
    size_px: int = setting(480, low=64, high=2048)


@dataclass(frozen=True, slots=True)
class UiConfig(Section):
    """The web app.

    Attributes:
        host: address to listen on; port: TCP port.
        max_file_mb: largest upload, MB; session_minutes: how long a case is kept in memory.
        max_queue: cases waiting at once before a visitor is asked to come back.
    """

    host: str = "127.0.0.1"
    port: int = setting(7860, low=0, high=65535)
    max_file_mb: int = setting(64, low=1, high=1024)
    session_minutes: int = setting(15, low=1, high=24 * 60)
    max_queue: int = setting(20, low=1)


@dataclass(frozen=True, slots=True)
class JomedConfig(Section):
    """All sections; plain values only."""

    tower: TowerConfig = TowerConfig()
    reader: ReaderConfig = ReaderConfig()
    retriever: RetrieverConfig = RetrieverConfig()
    index: IndexConfig = IndexConfig()
    simulation: SimulationConfig = SimulationConfig()
    align: AlignConfig = field(default_factory=AlignConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    train_reader: ReaderTrainingConfig = field(default_factory=ReaderTrainingConfig)
    train_localizer: LocalizerTrainingConfig = field(default_factory=LocalizerTrainingConfig)
    train_retriever: RetrieverTrainingConfig = field(default_factory=RetrieverTrainingConfig)
    train_rewards: RewardTuningConfig = field(default_factory=RewardTuningConfig)
    train_questions: QuestionTrainingConfig = field(default_factory=QuestionTrainingConfig)
    ui: UiConfig = UiConfig()


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> JomedConfig:
    """Read a TOML file, apply overrides, check everything.

    Args:
        path: a TOML file with a table per section; a key left out keeps its default.
        overrides: "section.key=value" each, the value in TOML (a bare word is taken as a string);
            later ones win.

    Returns:
        The resolved configuration.

    Raises:
        ConfigError: if the file is missing or not TOML, a key is unknown, an override has no "=",
            or a value has the wrong type or lies outside its range.

    Example:
        >>> load_config(CONFIG_FOLDER / "embedded.toml", ["reader.lora_rank=8"]).reader.lora_rank
        8
    """
    file = Path(path)
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"a configuration file is required, cannot read '{file}'") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{file.name}' must be valid TOML: {error}") from error
    for override in overrides:
        apply_override(values, override, JomedConfig)
    return config_from_dict(values)


def config_from_dict(values: Mapping[str, object]) -> JomedConfig:
    """Build a configuration from nested plain values, as stored by `config_to_dict`.

    Raises:
        ConfigError: as `load_config`.
    """
    return build_section(JomedConfig, values)


def config_to_dict(config: JomedConfig) -> dict[str, Any]:
    """Return the resolved configuration as JSON would read it, for checkpoints and manifests."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


def read_stored_config(path: Path) -> JomedConfig:
    """Read the resolved configuration that a run keeps, by an older version of this app too.

    Settings in `RETIRED`, which decided nothing, are left out; any other unknown key is refused.

    Raises:
        ConfigError: as `load_config`.
    """
    values = json.loads(path.read_text(encoding="utf-8"))
    for section, key in RETIRED:
        values.get(section, {}).pop(key, None)
    return config_from_dict(values)
