"""all-MiniLM-L6-v2 with the frequent part of its word-piece vocabulary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer, BertModel, PreTrainedTokenizerFast

from jomed_app.training.base_weights.packages import MINILM, package_folder


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
    folder = package_folder(MINILM) / "model"
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
    PreTrainedTokenizerFast(  # nosec B106  # tokens of a language
        tokenizer_object=Tokenizer.from_str(json.dumps(values)),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=256,
    ).save_pretrained(out)
    return out
