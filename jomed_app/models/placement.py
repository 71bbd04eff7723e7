"""Where a model runs: resolved once, and all of its inputs follow."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from jomed_app.errors import ConfigError

SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Placement:
    """What `from_pretrained` takes as `device_map`: one device, or all GPUs by accelerate."""

    device_map: str | dict[str, torch.device]


def place(device: str) -> Placement:
    """Resolve a device.

    Args:
        device: auto (a GPU where there is one), cpu, cuda, cuda:1 ..., or split.

    Raises:
        ConfigError: if it is unknown, or not there.
    """
    count = torch.cuda.device_count()
    if device == "auto":
        device = "cuda" if count else "cpu"
    if device == SPLIT:
        if count < 1:
            raise ConfigError("reader.device 'split' requires GPUs, found none; set it to auto")
        return Placement("auto")
    if device == "cpu":
        return Placement({"": torch.device("cpu")})
    found = re.fullmatch(r"cuda(?::(\d+))?", device)
    if found is None:
        raise ConfigError(
            f"reader.device must be auto, cpu, cuda, cuda:N or {SPLIT}, found '{device}'"
        )
    if int(found[1] or 0) >= count:
        raise ConfigError(
            f"reader.device '{device}' requires that GPU, found {count} on this machine; set auto"
        )
    return Placement({"": torch.device("cuda", int(found[1] or 0))})
