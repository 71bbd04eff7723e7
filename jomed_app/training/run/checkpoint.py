"""One checkpoint, one file: weights, their running mean, the optimizer's moments and the step.

All of a step is written beside and put in place by one rename, so that no kill can leave weights of
one step beside an optimizer of another. safetensors alone: no pickle is written or read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from jomed_app.errors import BundleError
from jomed_app.storage.durable import write_file

logger = logging.getLogger(__name__)

CHECKPOINT_FILE = "checkpoint.safetensors"
MEAN = "mean/"  # before a parameter's name; the weights themselves have no prefix
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # of AdamW, each before a parameter's name
STEP = "step"  # in the file's own notes


def save_checkpoint(
    out: Path,
    state: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    step: int,
    mean: Mapping[str, Tensor] | None,
) -> None:
    """Write all that a run goes on from; the older checkpoint stays whole until the new one is.

    Args:
        out: folder of the checkpoint.
        state: parameters that learn, by name.
        optimizer: AdamW over exactly these.
        step: steps done, of all parts.
        mean: running mean of the parameters, of the same names, if one is kept.

    Raises:
        StorageError: if it cannot be written.
    """
    tensors = {name: value.detach() for name, value in state.items()}
    tensors |= {f"{MEAN}{name}": value for name, value in (mean or {}).items()}
    for name, value in state.items():
        moments = optimizer.state.get(value, {})
        tensors |= {f"{kind}/{name}": moments[kind] for kind in MOMENTS if kind in moments}
    whole = {name: value.cpu().contiguous() for name, value in tensors.items()}
    write_file(out / CHECKPOINT_FILE, save(whole, {STEP: str(step)}))


def save_trainable(state: Mapping[str, Tensor], folder: Path) -> None:
    """Write weights alone, as `load_trainable` reads them.

    Raises:
        StorageError: if they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    write_file(folder / CHECKPOINT_FILE, save(whole, {}))


def restore_checkpoint(
    out: Path,
    state: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> tuple[int, dict[str, Tensor]]:
    """Put weights and moments back as they were.

    Args:
        out: folder of the checkpoint.
        state: parameters of the same names and shapes, changed in place.
        optimizer: AdamW over exactly these, changed in place.

    Returns:
        The steps done, and the running mean by name, empty where none was kept. Both are 0 and
        empty where there is no checkpoint.

    Raises:
        BundleError: if the checkpoint is damaged, of other parameters, or of a version that wrote
            its optimizer elsewhere.
    """
    path = out / CHECKPOINT_FILE
    if not path.is_file():
        return 0, {}
    load_trainable(state, out)
    with opened_tensors(path) as saved:
        step = (saved.metadata() or {}).get(STEP, "")
        if not step.isdecimal():
            raise BundleError(
                f"'{out.name}' must hold a checkpoint that tells its step, found one of an older "
                "version; go on with the version that wrote it, or train anew without --resume"
            )
        kept = set(saved.keys())
        for name, value in state.items():
            moments = {
                kind: saved.get_tensor(f"{kind}/{name}")
                for kind in MOMENTS
                if f"{kind}/{name}" in kept
            }
            if moments:
                optimizer.state[value] = {
                    kind: each if kind == STEP else torch.empty_like(value).copy_(each)
                    for kind, each in moments.items()
                }
        mean = {
            name: saved.get_tensor(f"{MEAN}{name}").to(value.device)
            for name, value in state.items()
            if f"{MEAN}{name}" in kept
        }
    logger.info("resumed at step %s", step)
    return int(step), mean


@torch.no_grad()
def load_trainable(state: Mapping[str, Tensor], folder: Path) -> None:
    """Copy a checkpoint's weights into parameters of the same names.

    Raises:
        BundleError: if the checkpoint is missing, damaged, or does not hold the same names and
            shapes.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        raise BundleError(f"a checkpoint requires {CHECKPOINT_FILE}; found none: train it first")
    saved = read_weights(path)
    if missing := _difference(_shapes(state), _shapes(saved)):
        raise BundleError(
            f"the checkpoint must hold the parameters that train, '{missing}' differs; "
            "train again or use the configuration that it was trained with"
        )
    for name, value in state.items():
        value.copy_(saved[name])


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by name, without what the optimizer keeps of them.

    Raises:
        BundleError: if the file is damaged.
    """
    with opened_tensors(path) as saved:
        names = [name for name in saved.keys() if "/" not in name]  # noqa: SIM118 (no dictionary)
        return {name: saved.get_tensor(name) for name in names}


@contextmanager
def opened_tensors(path: Path) -> Iterator[Any]:
    """Open a safetensors file of a run; its tensors are read when asked for.

    Raises:
        BundleError: if the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as opened:
            yield opened
    except SafetensorError as error:
        raise BundleError(
            f"'{path.parent.name}/{path.name}' must be a whole safetensors file, found a damaged "
            "one; delete it and train that stage again"
        ) from error


def _shapes(state: Mapping[str, Tensor]) -> set[tuple[str, torch.Size]]:
    return {(name, value.shape) for name, value in state.items()}


def _difference(state: set[tuple[str, torch.Size]], saved: set[tuple[str, torch.Size]]) -> str:
    names = sorted(name for name, _ in state ^ saved)
    return names[0] if names else ""
