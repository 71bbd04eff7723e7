"""All sections together: read from TOML, kept as JSON. Nothing is built here."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jomed_app.config.app import AppConfig
from jomed_app.config.backbones import (
    BackbonesConfig,
    ServedBackbonesConfig,
    backbones_from_dict,
    names_models,
)
from jomed_app.config.data import DataConfig
from jomed_app.config.localizer import LocalizerTrainingConfig, RewardTuningConfig
from jomed_app.config.model import (
    IndexConfig,
    ReaderConfig,
    RetrieverConfig,
    SimulationConfig,
    TowerConfig,
)
from jomed_app.config.section import Section, build_section, read_toml
from jomed_app.config.text_rewards import TextRewardsConfig
from jomed_app.config.training import (
    AlignConfig,
    GraphConfig,
    QuestionTrainingConfig,
    ReaderTrainingConfig,
    RetrieverTrainingConfig,
)
from jomed_app.errors import ConfigError

CONFIG_FOLDER = Path(__file__).parent

RETIRED = (  # sections and keys that older runs still hold: nobody read them, or they lost
    "ui",
    "tower.name",
    "reader.backbone",
    "reader.quantization",
    "retriever.backbone",
    "index.thumb_px",
    "train_reader.renamed_share",
    "train_retriever.num_views",
    "train_retriever.rank",
    "train_retriever.only_disagreeing",
    "train_retriever.refresh_rounds",
    "train_rewards.hit_share",
)

RETIRED_CHOICES = {  # what keys that are still there may say in older runs; it lost
    "align.loss": ("siglip", "graph+siglip"),
    "train_retriever.target": ("marginal",),
}


class JomedConfig(Section):
    """All sections; plain values only."""

    tower: TowerConfig = TowerConfig()
    reader: ReaderConfig = ReaderConfig()
    retriever: RetrieverConfig = RetrieverConfig()
    index: IndexConfig = IndexConfig()
    simulation: SimulationConfig = SimulationConfig()
    data: DataConfig = DataConfig()
    align: AlignConfig = AlignConfig()
    graph: GraphConfig = GraphConfig()
    train_reader: ReaderTrainingConfig = ReaderTrainingConfig()
    train_localizer: LocalizerTrainingConfig = LocalizerTrainingConfig()
    train_retriever: RetrieverTrainingConfig = RetrieverTrainingConfig()
    train_rewards: RewardTuningConfig = RewardTuningConfig()
    train_text_rewards: TextRewardsConfig = TextRewardsConfig()
    train_questions: QuestionTrainingConfig = QuestionTrainingConfig()
    app: AppConfig = AppConfig()


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> JomedConfig:
    """Read a TOML file, apply overrides, check everything.

    Args:
        path: a TOML file with a table per section; a key left out keeps its default.
        overrides: "section.key=value" each, the value in TOML (a bare word is taken as a text);
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
    return config_from_dict(_read_values(Path(path), overrides))


def load_recipe(
    path: Path | str, overrides: Sequence[str] = ()
) -> JomedConfig | BackbonesConfig | ServedBackbonesConfig:
    """Read what is to be trained: the embedded models, or those that a file names.

    Args:
        path: a TOML file; one whose table [reader] names a model, or a server, names its models.
        overrides: as in `load_config`.

    Raises:
        ConfigError: as `load_config`.
    """
    values = _read_values(Path(path), overrides)
    if names_models(values):
        return backbones_from_dict(values, Path(path))
    return config_from_dict(values)


def _read_values(file: Path, overrides: Sequence[str]) -> dict[str, Any]:
    values = read_toml(file, "a configuration file")
    for override in overrides:
        _override(values, override)
    return values


def config_from_dict(values: Mapping[str, object]) -> JomedConfig:
    """Build a configuration from nested plain values: a table per section.

    Raises:
        ConfigError: if a key is unknown, or a value has the wrong type or lies outside its range.
    """
    return build_section(JomedConfig, values)


def config_to_dict(config: Section) -> dict[str, Any]:
    """Return the resolved configuration as JSON would read it, for checkpoints and manifests."""
    return config.model_dump(mode="json")


def config_from_stored(values: Mapping[str, Mapping[str, object]]) -> JomedConfig:
    """Build a configuration from what `config_to_dict` stored, in an older version of this app too.

    What is listed in `RETIRED` is left out, and so is a value of `RETIRED_CHOICES`, whose key keeps
    its default; any other unknown key or value is refused.

    Raises:
        ConfigError: as `config_from_dict`.
    """
    return config_from_dict(
        {
            name: {
                key: value for key, value in table.items() if not _retired(f"{name}.{key}", value)
            }
            for name, table in values.items()
            if name not in RETIRED
        }
    )


def read_stored_config(path: Path) -> JomedConfig:
    """Read the resolved configuration that a run keeps, see `config_from_stored`.

    Raises:
        ConfigError: as `config_from_dict`, and if the file is damaged.
    """
    try:
        stored = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"'{path.name}' must be the JSON that a run keeps, found a damaged file; train again"
        ) from error
    if not isinstance(stored, dict) or not all(isinstance(each, dict) for each in stored.values()):
        raise ConfigError(f"'{path.name}' must hold a table per section; train again")
    return config_from_stored(stored)


def _retired(key: str, value: object) -> bool:
    """Whether only an older version knows this "section.key", or this value of it."""
    return key in RETIRED or value in RETIRED_CHOICES.get(key, ())


def _override(values: dict[str, Any], override: str) -> None:
    """Set one "section.key=value" in nested tables, in place."""
    key, sign, text = override.partition("=")
    *tables, last = key.strip().split(".")
    if not sign or not last:
        raise ConfigError(f"an override must be section.key=value, found '{override}'")
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text.strip()
    for name in tables:
        if not isinstance(values.get(name), dict):
            values[name] = {}
        values = values[name]
    values[last] = value
