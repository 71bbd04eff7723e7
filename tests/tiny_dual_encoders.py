"""Tiny random dual encoders in the layout in which the Hub holds them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import processors
from transformers import AutoModel, CLIPConfig, Siglip2Config, SiglipConfig

from tests.tiny_vlms import HALF, write_tokenizer

TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
IDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
NAMES = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
SQUARE = {"height": 56, "width": 56}
CONFIGS = {"clip": CLIPConfig, "siglip": SiglipConfig, "siglip2": Siglip2Config}
VISION = {
    "clip": {"image_size": 56, "patch_size": 14},
    "siglip": {"image_size": 56, "patch_size": 14},
    "siglip2": {"num_patches": 64, "patch_size": 14},
}
PROCESSORS = {
    "clip": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 56},
        "crop_size": SQUARE,
    },
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": SQUARE},
    "siglip2": {
        "image_processor_type": "Siglip2ImageProcessorFast",
        "patch_size": 14,
        "max_num_patches": 64,
    },
}


def write_tiny_dual_encoder(name: str, folder: Path) -> Path:
    """Write a model, its tokenizer and its image processor's settings."""
    tokenizer = write_tokenizer(["<pad>", "<eos>", "<bos>", "<unk>"], **NAMES)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 2), ("<eos>", 1)]
    )
    tokenizer.save_pretrained(folder)
    text = TOWER | IDS | {"vocab_size": len(tokenizer), "max_position_embeddings": 64}
    more = {"projection_dim": 24} if name == "clip" else {}
    config = CONFIGS[name](text_config=text, vision_config=TOWER | VISION[name], **more)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    settings = PROCESSORS[name] | {"image_mean": HALF, "image_std": HALF}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
