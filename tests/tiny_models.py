"""Tiny random models of the same classes as the real ones: the whole app runs on them in tests.

They know nothing; they exist so that every line between an image and an answer can be run, and
compared with a second way of computing the same thing, in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from jomed_app.data.wording.prompts import IMAGE_SLOT, location_tokens
from jomed_app.models.loading import join_llava
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.retriever.embedded import (
    EmbeddedRetriever,
    PassageEncoder,
    RetrieverConfig,
    RetrieverProjections,
)
from jomed_app.models.towers.dinov2 import Dinov2Tower, Dinov2TowerConfig
from jomed_app.models.towers.efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteModel
from jomed_app.models.towers.tokens import pooled_size

TINY_IMAGE_SIZE = 128
TINY_LOCATION_BINS = 16
TINY_DIM = 16
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def build_tiny_tokenizer(
    words: Sequence[str] = (), location_bins: int = TINY_LOCATION_BINS
) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer without merges: one token a byte, so any text can be read.

    Args:
        words: words that are one token each when a space precedes them, such as a task's labels.
        location_bins: location tokens.
    """
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*names, *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>",  # so that an empty passage is not empty
        special_tokens=[(name, vocabulary[name]) for name in names[1:]],
    )
    special = [*names, IMAGE_SLOT, *location_tokens(location_bins)]
    backend.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    backend.add_tokens([AddedToken(f" {word}", normalized=False) for word in words])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=256,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_tiny_tower(seed: int = 0, image_size: int = TINY_IMAGE_SIZE) -> EfficientNetLiteModel:
    """Return a tenth-width tower with random weights that keep an image's signal alive."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = EfficientNetLiteModel(
            EfficientNetLiteConfig(image_size=image_size, width=0.1, position_dim=8)
        )
        for module in tower.modules():
            if isinstance(module, nn.Conv2d):  # fan-in counts one group, so depthwise is not faint
                nn.init.kaiming_normal_(module.weight, mode="fan_in")
    tower.train(False)
    return tower


def build_tiny_dinov2(seed: int = 0, image_size: int = 56, token_grid: int = 0) -> Dinov2Tower:
    """Return a DINOv2 of two narrow layers with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = Dinov2Tower(
            Dinov2TowerConfig(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=image_size,
                patch_size=14,
                token_grid=token_grid,
                use_mask_token=False,
                initializer_range=0.2,  # wide, so that two images differ
            )
        )
    tower.train(False)
    return tower


def tiny_text_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """Two narrow layers."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.15,  # wide, so that two different rows answer differently
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_tiny_reader(
    seed: int = 0,
    words: Sequence[str] = (),
    *,
    location_bins: int = TINY_LOCATION_BINS,
    image_size: int = TINY_IMAGE_SIZE,
) -> PackedReader:
    """Return a reader of two random layers; its tower equals `build_tiny_tower` of this seed.

    Args:
        seed: of all weights.
        words: words that are one token each, such as a task's `answer_words`.
        location_bins: location tokens per axis.
        image_size: side of the square input, px, a multiple of 64.
    """
    tokenizer = build_tiny_tokenizer(words, location_bins)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text = LlamaForCausalLM(tiny_text_config(tokenizer))
        image_token_id = tokenizer.get_vocab()[IMAGE_SLOT]
        model = join_llava(build_tiny_tower(seed, image_size), text, image_token_id)
    model.eval()
    return PackedReader(model, tokenizer, location_bins=location_bins, candidate_pool=2)


def build_tiny_retriever(seed: int = 0, *, image_size: int = TINY_IMAGE_SIZE) -> EmbeddedRetriever:
    """Return a retriever with a two-layer passage encoder; same tower as the tiny reader's."""
    tower = build_tiny_tower(seed, image_size)
    tokenizer = build_tiny_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = BertModel(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=256,
            )
        )
        feature_size = pooled_size(tower.config)
        projections = RetrieverProjections(
            RetrieverConfig(feature_size=feature_size, passage_size=32, dim=TINY_DIM)
        )
    return EmbeddedRetriever(
        tower,
        PassageEncoder(lambda: (encoder.train(False), tokenizer)),
        projections.train(False),
    )
