"""Which models read and retrieve, and how they are tuned, in place of the embedded ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from jomed_app.config.projector import ProjectorTrainingConfig
from jomed_app.config.remote import RemoteReaderConfig
from jomed_app.config.section import Section, build_section, read_toml
from jomed_app.config.text_rewards import TextRewardsConfig
from jomed_app.config.training import (
    AdapterTrainingConfig,
    GraphConfig,
    HeadTrainingConfig,
    LoraConfig,
)
from jomed_app.errors import ConfigError


class ReaderBackbone(Section):
    """An image-text-to-text model of transformers.

    Attributes:
        model: folder, or Hub id.
        revision: commit of the Hub that is taken, 40 hexadecimal digits; of a Hub id alone.
        adapter: folder of a LoRA adapter that PEFT wrote; empty for none.
        merge_adapter: whether the adapter is folded into the weights, which answers faster;
            weights held in fewer than 16 bits lose precision by it.
        precision: how weights are held: auto (follows the machine), fp32, bf16, int8 or nf4.
        device: auto (a GPU where there is one), cpu, cuda, cuda:1 ..., or split over all GPUs.
        rows_at_once: sequences side by side in one forward; fewer need less memory.
        max_side_px: longer images are shrunk to it before the model's own preparation, px.
        max_passage_tokens: longer passages are cut.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    adapter: str = ""
    merge_adapter: bool = False
    precision: str = "auto"
    device: str = "auto"
    rows_at_once: int = Field(default=16, ge=1, le=256)
    max_side_px: int = Field(default=448, ge=28, le=4096)  # ours; the authors shrink to 256
    max_passage_tokens: int = Field(default=128, ge=1, le=8192)


class RetrieverBackbone(Section):
    """A dual encoder of transformers: CLIP, SigLIP or SigLIP2.

    Attributes:
        model: folder, or Hub id.
        revision: commit of the Hub that is taken, 40 hexadecimal digits; of a Hub id alone.
        device: as the reader's.
        heads: folder of query heads that the stage `retriever` wrote; empty for none.
        query_mix: m in q_h = (1 - m) f0(x) + m f_h(x), in [0, 1]: how far heads move a query.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    device: str = "auto"
    heads: str = ""
    query_mix: float = Field(default=0.15, ge=0.0, le=1.0)  # arXiv:2508.17394, authors' code


class NamedModels(Section):
    """A reader and a retriever for one task, and how they are tuned on it.

    Attributes:
        task: name of a task, or path of its TOML file.
        question: asked in place of the task's own, where it is not empty. A model that was not
            tuned should be told which answers there are.
        data: folder of the cases that tuning learns from; split: which of them. Neither is read
            where nothing is tuned, nor the next two.
        labels_share, labels_seed: as in `DataConfig`: a share of each class's groups teaches, the
            other cases may still be indexed.
        retriever: runs on this machine.
        train_retriever: of its query heads.
    """

    task: str = "breast"
    question: str = ""
    data: str = ""
    split: str = "train"
    labels_share: float = Field(default=1.0, ge=0.001, le=1.0)
    labels_seed: int = Field(default=0, ge=0)
    retriever: RetrieverBackbone
    train_retriever: HeadTrainingConfig = HeadTrainingConfig()


class BackbonesConfig(NamedModels):
    """Both models run in the app.

    Attributes:
        reader: runs on this machine.
        lora: the adapter that it learns in.
        align: how projector and adapter are aligned; graph: how their graphs are matched.
        train_reader: how it learns.
        train_rewards: how it is tuned on the text that it writes.
    """

    reader: ReaderBackbone
    lora: LoraConfig = LoraConfig()
    align: ProjectorTrainingConfig = ProjectorTrainingConfig()
    graph: GraphConfig = GraphConfig()
    train_reader: AdapterTrainingConfig = AdapterTrainingConfig()
    train_rewards: TextRewardsConfig = TextRewardsConfig()


class ServedBackbonesConfig(NamedModels):
    """A chat server reads.

    Attributes:
        reader: where the server is.
    """

    reader: RemoteReaderConfig


def load_backbones(path: Path) -> BackbonesConfig | ServedBackbonesConfig:
    """Read a TOML file that names models; relative paths in it start at its folder.

    A reader with a `url` is a server.

    Raises:
        ConfigError: if the file is missing or not TOML, a key is unknown or missing, or a value
            has the wrong type or lies outside its range.
    """
    return backbones_from_dict(read_toml(path, "a file that names backbones"), path)


def names_models(values: Mapping[str, object]) -> bool:
    """Whether nested plain values are those of a file that names models."""
    reader = values.get("reader")
    return isinstance(reader, dict) and not reader.keys().isdisjoint(("model", "url"))


def backbones_from_dict(
    values: Mapping[str, object], path: Path
) -> BackbonesConfig | ServedBackbonesConfig:
    """Build what a file names from its nested plain values.

    Args:
        values: a table per section.
        path: of the file, at whose folder relative paths start.

    Raises:
        ConfigError: as `load_backbones`.
    """
    if isinstance(table := values.get("data"), Mapping):
        raise ConfigError(
            "data must be the folder of the cases that teach where a file names models, found a "
            f"table with {', '.join(table)}; labels_share and labels_seed stand beside it"
        )
    beside = path.resolve().parent

    def found(name: str) -> str:
        return str(beside / name) if name and (beside / name).exists() else name

    def placed(config: NamedModels) -> dict[str, object]:
        retriever = config.retriever
        return {
            "task": found(config.task),
            "data": found(config.data),
            "retriever": retriever.replaced(
                model=found(retriever.model), heads=found(retriever.heads)
            ),
        }

    reader = values.get("reader")
    if isinstance(reader, dict) and "url" in reader:
        served = build_section(ServedBackbonesConfig, values)
        ca_file = found(served.reader.ca_file)
        return served.replaced(**placed(served), reader=served.reader.replaced(ca_file=ca_file))
    own = build_section(BackbonesConfig, values)
    model, adapter = found(own.reader.model), found(own.reader.adapter)
    return own.replaced(**placed(own), reader=own.reader.replaced(model=model, adapter=adapter))
