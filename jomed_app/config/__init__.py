"""Configuration: frozen values read from TOML, and the TOML files that ship."""

from __future__ import annotations

from jomed_app.config.app import AppConfig
from jomed_app.config.data import DataConfig
from jomed_app.config.load import (
    CONFIG_FOLDER,
    JomedConfig,
    config_from_dict,
    config_from_stored,
    config_to_dict,
    load_config,
    read_stored_config,
)
from jomed_app.config.localizer import LocalizerTrainingConfig, RewardTuningConfig
from jomed_app.config.model import (
    IndexConfig,
    ReaderConfig,
    RetrieverConfig,
    SimulationConfig,
    TowerConfig,
)
from jomed_app.config.training import (
    AlignConfig,
    GraphConfig,
    QuestionTrainingConfig,
    ReaderTrainingConfig,
    RetrieverTrainingConfig,
)

__all__ = [
    "CONFIG_FOLDER",
    "AlignConfig",
    "AppConfig",
    "DataConfig",
    "GraphConfig",
    "IndexConfig",
    "JomedConfig",
    "LocalizerTrainingConfig",
    "QuestionTrainingConfig",
    "ReaderConfig",
    "ReaderTrainingConfig",
    "RetrieverConfig",
    "RetrieverTrainingConfig",
    "RewardTuningConfig",
    "SimulationConfig",
    "TowerConfig",
    "config_from_dict",
    "config_from_stored",
    "config_to_dict",
    "load_config",
    "read_stored_config",
]
