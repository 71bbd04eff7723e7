"""Configuration: frozen values, read from TOML, checked on the way in. Nothing is built here.

Add a setting by adding a field with `setting(...)`; loading, overrides, range checks, error texts
and storage follow from the declaration.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jomed_app.errors import ConfigError
from jomed_app.settings import Section, apply_override, build_section, setting

CONFIG_FOLDER = Path(__file__).parent / "configs"


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
class AlignConfig(Section):
    """Contrastive alignment of images and passages (stage `align`).

    Attributes:
        steps: optimizer steps; batch_size: pairs per step; lr: peak learning rate.
        temperature: divides the inner products, > 0; seed: of batches and initial weights.
        localization_weight: of the loss that says which cells a lesion covers.
        head_lr_factor: learning-rate factor of freshly made layers.
    """

    steps: int = setting(280, low=1)
    batch_size: int = setting(32, low=2)
    lr: float = setting(8e-4, low=1e-8, high=1.0)
    temperature: float = setting(0.07, low=1e-3, high=10.0)
    localization_weight: float = setting(2.0, low=0.0)  # ours: weight of the cell-occupancy loss
    head_lr_factor: float = setting(5.0, low=0.0)  # ours: fresh layers learn faster
    seed: int = setting(0, low=0)


@dataclass(frozen=True, slots=True)
class ReaderTrainingConfig(Section):
    """Supervised tuning of the reader, one row per candidate (stage `reader`).

    Attributes:
        task: what is asked.
        data: root of the public set of this task; empty trains on simulated cases alone.
        folds: cross-validation folds over the real cases; fold_seed: of their assignment.
        shipped_fold: the fold whose reader and localizer the bundle carries, so that its held-out
            cases stay unseen by what is shipped; -1 trains one more on all cases and ships that.
        simulated_steps: optimizer steps on simulated cases, shared by all folds.
        steps: optimizer steps on the mixture, per fold and for the final reader.
        batch_size: queries per step; lr: peak learning rate (half of it on the mixture).
        real_share: share of real queries in the mixture.
        real_candidate_share: share of a real query's steps whose candidates are real cases.
        weight_decay: of AdamW.
        num_candidates: candidates per query, each its own row with the same answer.
        candidate_depth: candidates are drawn from this many nearest cases.
        hidden_share: share of candidate blocks that hide query tokens.
        query_dropout: least share of query tokens hidden there; the most is all of them.
        random_share: share of candidates drawn from the whole corpus instead of the nearest.
        comparison_share: share of queries asked whether the candidate has the same diagnosis.
        plain_share: share of queries that are also read without a candidate.
        location_bins: location tokens per axis.
        label_smoothing: of the answer tokens that are not locations.
        seed: of batches, dropout and initial adapters.
    """

    task: str = "breast"
    data: str = ""
    folds: int = setting(5, low=2, high=20)
    fold_seed: int = setting(0, low=0)
    shipped_fold: int = setting(-1, low=-1, high=19)
    simulated_steps: int = setting(160, low=1)
    steps: int = setting(60, low=1)
    batch_size: int = setting(8, low=1)
    lr: float = setting(1e-3, low=1e-8, high=1.0)
    real_share: float = setting(0.75, low=0.0, high=1.0)  # ours
    real_candidate_share: float = setting(0.7, low=0.0, high=1.0)  # ours
    weight_decay: float = setting(0.01, low=0.0, high=1.0)  # ours
    num_candidates: int = setting(4, low=1, high=50)  # arXiv:2508.17394, authors' code: K = 4
    candidate_depth: int = setting(12, low=1)  # ours: drawn from these nearest
    hidden_share: float = setting(0.35, low=0.0, high=1.0)  # ours: or the candidate is ignored
    query_dropout: float = setting(0.5, low=0.0, high=1.0)  # ours
    random_share: float = setting(0.15, low=0.0, high=1.0)  # ours: relevance must be judged
    comparison_share: float = setting(0.15, low=0.0, high=1.0)  # ours
    plain_share: float = setting(0.6, low=0.0, high=1.0)  # ours: so that the query alone is read
    location_bins: int = setting(64, low=8, high=1024)  # ours
    label_smoothing: float = setting(0.05, low=0.0, high=0.9)  # ours
    seed: int = setting(0, low=0)


@dataclass(frozen=True, slots=True)
class LocalizerTrainingConfig(Section):
    """The localizer on frozen patch tokens (part of the stage `reader`).

    Attributes:
        simulated_steps, steps: optimizer steps on simulated cases, then on the mixture.
        batch_size: images per step; lr: peak learning rate (half of it on the mixture).
        weight_decay: of AdamW.
        num_views: views encoded per image, the first one unchanged.
        sigma: width of an edge's bell, bins.
        presence_weight: of the loss that says whether there is a finding.
        seed: of batches, views and initial weights.
    """

    simulated_steps: int = setting(350, low=1)
    steps: int = setting(240, low=1)
    batch_size: int = setting(48, low=1)
    lr: float = setting(6e-4, low=1e-8, high=1.0)
    weight_decay: float = setting(0.05, low=0.0, high=1.0)
    num_views: int = setting(4, low=1, high=64)
    sigma: float = setting(1.0, low=0.1, high=16.0)
    presence_weight: float = setting(0.5, low=0.0)
    seed: int = setting(0, low=0)


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
    align: AlignConfig = AlignConfig()
    train_reader: ReaderTrainingConfig = ReaderTrainingConfig()
    train_localizer: LocalizerTrainingConfig = LocalizerTrainingConfig()
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
    """Return the resolved configuration as nested plain values, for checkpoints and manifests."""
    return dataclasses.asdict(config)
