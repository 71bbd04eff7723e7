"""Start a task's reader from another run's reader: same layers, a vocabulary of its own."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from jomed_app.errors import BundleError
from jomed_app.models.reader.packed import PackedReader
from jomed_app.training.run.checkpoint import CHECKPOINT_FILE, read_weights
from jomed_app.training.run.loop import trainable_state

EMBEDDINGS = "embed_tokens.weight"


@torch.no_grad()
def adopt_reader(reader: PackedReader, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Copy a checkpoint's adapters and projector; embeddings go over token by token, by name.

    Args:
        reader: carries adapters of the same shape; changed in place.
        folder: the other reader's checkpoint.
        tokenizer: the other reader's; tokens it does not know keep what they have.

    Raises:
        BundleError: if there is no checkpoint, or its adapters have other names or shapes.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        raise BundleError(
            f"train_reader.start_from requires a run with reader/{folder.name}/{CHECKPOINT_FILE}, "
            "found none; train that run's reader first"
        )
    saved = read_weights(path)
    for name, value in trainable_state({"reader": reader.model}).items():
        if name not in saved:
            raise BundleError(f"the run to start from must hold '{name}'; use its configuration")
        if name.endswith(EMBEDDINGS):
            known, own = tokenizer.get_vocab(), reader.tokenizer.get_vocab()
            shared = [(own[token], known[token]) for token in own if token in known]
            here, there = torch.tensor(shared).T
            value[here] = saved[name][there].to(value.dtype)
        elif saved[name].shape == value.shape:
            value.copy_(saved[name])
        else:
            raise BundleError(
                f"'{name}' must have the shape {tuple(value.shape)} in the run to start from, "
                f"found {tuple(saved[name].shape)}; use its configuration"
            )
