"""A whole training run on tiny random base weights: every stage, two steps each, in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, LlamaForCausalLM

from jomed_app.config.load import JomedConfig, config_from_dict
from jomed_app.config.model import TowerConfig
from jomed_app.data.records import write_records
from jomed_app.evaluation.folds.cross_validate import cross_validate
from jomed_app.simulator import simulate_case, write_cases
from jomed_app.training.align.stage import align_stage
from jomed_app.training.export import write_config
from jomed_app.training.reader.stage import reader_stage
from jomed_app.training.retriever.stage import retriever_stage
from tests.few_trials import few_trials
from tests.tiny_bundle import SIZE_PX, png_bytes
from tests.tiny_models import (
    build_tiny_dinov2,
    build_tiny_tokenizer,
    build_tiny_tower,
    tiny_text_config,
)

NUM_REAL = 16
BINS = 16


def tiny_config(data: Path | None = None) -> JomedConfig:
    """Two steps per stage; with a folder of cases as `data`, two folds of them."""
    return config_from_dict(
        {
            "tower": {"image_size": 64},
            "reader": {"location_bins": BINS, "lora_rank": 2},
            "retriever": {"dim": 16},
            "simulation": {
                "index_count": 8,
                "align_count": 6,
                "reader_count": 12,
                "size_px": SIZE_PX,
            },
            "align": {"steps": 2, "batch_size": 4},
            "train_localizer": {
                "image_size": 64,
                "simulated_steps": 2,
                "steps": 2,
                "batch_size": 4,
                "views": 2,
                "simulated_share": 0.25,
            },
            "train_retriever": {
                "steps": 2,
                "batch_size": 4,
                "num_image": 3,
                "num_text": 2,
                "num_seeds": 2,
            },
            "train_rewards": {"steps": 2, "batch_size": 4, "rollouts": 2},
            "train_reader": {
                "data": str(data or ""),
                "folds": 2,
                "simulated_steps": 2,
                "steps": 2,
                "batch_size": 2,
                "num_candidates": 2,
            },
        }
    )


def write_real_cases(folder: Path) -> Path:
    """Cases that stand for a real set: other seeds, every label, split into train, val and test."""
    splits = ["train"] * (NUM_REAL - 4) + ["val"] * 4 + ["test"] * 4
    (folder / "images").mkdir(parents=True)
    records = []
    for place, split in enumerate(splits):
        kind = ("normal", "fibroadenoma", "carcinoma")[place % 3]
        case = simulate_case(800_000 + place, kind, SIZE_PX)
        (folder / case.record.image).write_bytes(png_bytes(case.image))
        records.append(case.record.model_copy(update={"split": split}))
    write_records(folder, records)
    return folder


def write_tower(out: Path, config: TowerConfig) -> Path:
    """A random tower where the pretrained one would be converted to."""
    if config.family == "dinov2_small":
        build_tiny_dinov2(0, config.image_size, config.tokens).save_pretrained(out)
    else:
        build_tiny_tower(0, config.image_size).save_pretrained(out)
    return out


def write_language_model(
    out: Path, *, num_layers: int, vocabulary_size: int, location_bins: int, words: Sequence[str]
) -> Path:
    """A random language model of two narrow layers."""
    tokenizer = build_tiny_tokenizer(words, location_bins)
    torch.manual_seed(0)
    model = LlamaForCausalLM(tiny_text_config(tokenizer))
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def write_passage_encoder(out: Path, *, vocabulary_size: int, texts: Sequence[str]) -> Path:
    """A random passage encoder, as wide as the projections expect."""
    tokenizer = build_tiny_tokenizer()
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=384,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=256,
        )
    )
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@contextmanager
def tiny_base_weights() -> Iterator[None]:
    """Stand-ins for the conversion of base weights; simulation stays in this process."""
    place = "jomed_app.training.run.workspace."
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place + "convert_vision_tower", write_tower)
        patch.setattr(place + "convert_language_model", write_language_model)
        patch.setattr(place + "convert_passage_encoder", write_passage_encoder)
        patch.setattr(place + "write_cases", partial(write_cases, workers=1))
        yield


def train_tiny(config: JomedConfig, out: Path) -> Path:
    """Run all stages, as the command line does."""
    with tiny_base_weights(), few_trials():
        write_config(out, config)
        align_stage(config, out)
        reader_stage(config, out)
        retriever_stage(config, out)
        if config.train_reader.data:
            cross_validate(config, out)
    return out
