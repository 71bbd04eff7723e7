"""Query heads of a dual encoder on disk: the matrices, and whose vectors they move."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from jomed_app.errors import ConfigError
from jomed_app.models.retriever.query_heads import HEADS, zero_heads
from jomed_app.storage.durable import write_file

HEADS_FILE = "query_heads.safetensors"
FINGERPRINT = "retriever"


def save_query_heads(heads: nn.ModuleDict, folder: Path, fingerprint: str) -> None:
    """Write the heads where `retriever.heads` finds them.

    Args:
        heads: one matrix a search.
        folder: made where it is not there.
        fingerprint: of the retriever that they were trained with.

    Raises:
        StorageError: if the file cannot be written; the one before stays.
    """
    whole = {
        name: value.detach().float().contiguous() for name, value in heads.state_dict().items()
    }
    write_file(folder / HEADS_FILE, save(whole, {FINGERPRINT: fingerprint}))


def load_query_heads(folder: Path, dim: int, fingerprint: str) -> nn.ModuleDict:
    """Read the heads that a folder holds.

    Args:
        folder: that `save_query_heads` wrote to.
        dim: width of the retriever's vectors.
        fingerprint: of the retriever.

    Raises:
        ConfigError: if there are none, they are damaged, or they belong to another retriever.
    """
    path = folder / HEADS_FILE
    if not path.is_file():
        raise ConfigError(
            f"retriever.heads must be a folder that holds {HEADS_FILE}, found none in "
            f"'{folder.name}'; train retriever writes it, or leave it empty"
        )
    try:
        with safe_open(path, framework="pt") as stored:
            trained_with = (stored.metadata() or {}).get(FINGERPRINT, "")
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ConfigError(
            f"'{HEADS_FILE}' must be a whole safetensors file, found a damaged one; train the "
            "retriever again"
        ) from error
    if trained_with != fingerprint:
        raise ConfigError(
            f"retriever.heads must be those of retriever '{fingerprint}', found those of "
            f"'{trained_with}'; name its own or leave it empty"
        )
    heads = zero_heads(dim)
    if {name: tuple(value.shape) for name, value in weights.items()} != {
        f"{head}.weight": (dim, dim) for head in HEADS
    }:
        raise ConfigError(
            f"'{HEADS_FILE}' must hold a matrix of {dim} by {dim} for each search, found others; "
            "train the retriever again"
        )
    heads.load_state_dict(weights)
    return heads.requires_grad_(False)
