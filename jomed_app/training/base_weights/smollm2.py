"""SmolLM2-135M-Instruct: its first layers, with a pruned and extended vocabulary.

Ours: the language model keeps its first layers and the most frequent part of its byte-pair
vocabulary (merges are ordered by frequency, so a prefix of them is a tokenizer for any text), plus
whole words of the task.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from jomed_app.data.wording.prompts import IMAGE_SLOT, location_tokens
from jomed_app.errors import ConfigError
from jomed_app.training.base_weights.packages import SMOLLM2, package_folder

GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)


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
    folder = package_folder(SMOLLM2)
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
    tokenizer = PreTrainedTokenizerFast(  # nosec B106  # tokens of a language
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
