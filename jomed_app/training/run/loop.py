"""The loop every stage shares: one optimizer, one schedule, checkpoints, progress, cancel.

It runs on a CPU, on one GPU or in several processes, each with batches of its own; accelerate
averages and clips the gradients.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from jomed_app.errors import BundleError
from jomed_app.progress import OnProgress
from jomed_app.training.run.device import training_accelerator

logger = logging.getLogger(__name__)

CHECKPOINT_FILE = "checkpoint.safetensors"
OPTIMIZER_FILE = "optimizer.pt"
MEAN_FILE = "mean.safetensors"
MEAN_WARMUP = 10  # steps; early on the mean follows faster
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How to step.

    Attributes:
        steps: optimizer steps in all.
        lr: peak learning rate, reached after the warm-up, then down to zero by a cosine.
        warmup: share of the steps that warm up.
        weight_decay: of AdamW, on matrices only.
        clip_norm: gradient norm cap, applied after backward.
        checkpoint_every: steps between checkpoints; 0 writes only the last.
        average: decay per step of a running mean of the weights, which replaces them at the end;
            0 keeps none.
        batches_per_step: batches of a process whose gradients are averaged into a step.
    """

    steps: int
    lr: float
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    checkpoint_every: int = 50
    average: float = 0.0
    batches_per_step: int = 1


def no_progress(done: int, total: int, **figures: float) -> None:
    """Report nothing."""


def trainable_state(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Every parameter that learns, by module and name."""
    return {
        f"{prefix}.{name}": parameter
        for prefix, module in modules.items()
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def run_loop(
    modules: Mapping[str, nn.Module],
    step_loss: Callable[[int], Mapping[str, Tensor]],
    settings: LoopSettings,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
    lr_factors: Mapping[str, float] | None = None,
    device: torch.device = CPU,
) -> list[dict[str, float]]:
    """Minimize `step_loss(number)["loss"]` over the modules' trainable parameters.

    A batch's randomness must derive from its number, so that a resumed run equals an unbroken one.
    The number is the step's; further batches of a step, and those of further processes, count on
    from where the steps end, so that no two are alike.

    Args:
        modules: what learns; only parameters with `requires_grad` are touched and saved.
        step_loss: named scalars of one batch; "loss" is minimized, the rest is logged.
        settings: schedule.
        out: folder of the checkpoint.
        resume: continue from the checkpoint in `out` if there is one.
        on_progress: called after every step.
        lr_factors: learning-rate factor per module name, 1 where absent.
        device: where the modules are while they learn, and `step_loss` must send its batch; they
            are on the CPU afterwards.

    Returns:
        The log: one dictionary of floats per step run now, of this process's last batch.

    Raises:
        BundleError: if a checkpoint does not fit the modules.
        FloatingPointError: if the loss stops being finite; the last checkpoint stays.
    """
    out.mkdir(parents=True, exist_ok=True)
    accelerator = training_accelerator(settings.batches_per_step)
    _place(modules, device)
    state = trainable_state(modules)
    factors = lr_factors or {}
    groups = [
        {
            "params": [p],
            "lr": settings.lr * factors.get(name.split(".", 1)[0], 1.0),
            "weight_decay": settings.weight_decay if p.ndim > 1 else 0.0,
        }
        for name, p in state.items()
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _cosine(step, settings.steps, settings.warmup)
    )
    logger.info(
        "%d values learn in %d steps: rate %g, weight decay %g, gradient norm up to %g",
        sum(value.numel() for value in state.values()),
        settings.steps,
        settings.lr,
        settings.weight_decay,
        settings.clip_norm,
    )
    start = _restore(state, optimizer, scheduler, out) if resume else 0
    _start_alike(state, accelerator)
    mean = _restore_mean(state, out, start) if settings.average else None
    history: list[dict[str, float]] = []
    for step in range(start, settings.steps):
        optimizer.zero_grad(set_to_none=True)
        for batch in range(settings.batches_per_step):
            share = accelerator.process_index * settings.batches_per_step + batch
            terms = step_loss(step + share * settings.steps)
            if not torch.isfinite(terms["loss"]):
                raise FloatingPointError(f"the loss is not finite at step {step}; lower the rate")
            accelerator.backward(terms["loss"])
        _average_gradients(state, accelerator)
        norm = accelerator.clip_grad_norm_(state.values(), settings.clip_norm)
        optimizer.step()
        scheduler.step()
        if mean is not None:
            _follow(mean, state, min(settings.average, (step + 1) / (step + MEAN_WARMUP)))
        values = {name: float(value.detach()) for name, value in terms.items()}
        values["grad_norm"] = float(norm)
        history.append(values)
        if not accelerator.is_main_process:
            continue
        on_progress(step + 1, settings.steps, **values)
        due = settings.checkpoint_every and (step + 1) % settings.checkpoint_every == 0
        if due or step + 1 == settings.steps:
            _save(state, optimizer, scheduler, step + 1, out, mean)
    if mean is not None:
        _follow(state, mean, 0.0)
    accelerator.wait_for_everyone()
    _place(modules, CPU)
    return history


def _place(modules: Mapping[str, nn.Module], device: torch.device) -> None:
    for module in modules.values():
        module.to(device)


@torch.no_grad()
def _start_alike(state: Mapping[str, Tensor], accelerator: Accelerator) -> None:
    """Several processes start from the weights of the first one."""
    if accelerator.num_processes > 1:
        for value in state.values():
            value.copy_(broadcast(value.detach()))


def _average_gradients(state: Mapping[str, Tensor], accelerator: Accelerator) -> None:
    """Several processes step alike, by the mean of what each of them found.

    Ours: done here and not by a wrapped module, since a stage's loss calls its modules' parts.
    """
    if accelerator.num_processes > 1:
        for value in state.values():
            if value.grad is not None:
                value.grad = accelerator.reduce(value.grad, reduction="mean")


def _cosine(step: int, steps: int, warmup: float) -> float:
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _save(
    state: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    step: int,
    out: Path,
    mean: Mapping[str, Tensor] | None,
) -> None:
    """Write beside, then rename: an interrupted save leaves the older checkpoint whole."""
    weights = {name: value.detach().contiguous() for name, value in state.items()}
    save_file(weights, out / f"{CHECKPOINT_FILE}.part")
    torch.save(
        {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "step": step},
        out / f"{OPTIMIZER_FILE}.part",
    )
    names = [CHECKPOINT_FILE, OPTIMIZER_FILE]
    if mean is not None:
        save_file(dict(mean), out / f"{MEAN_FILE}.part")
        names.insert(0, MEAN_FILE)
    for name in names:
        os.replace(out / f"{name}.part", out / name)


def _restore(
    state: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    out: Path,
) -> int:
    if not (out / OPTIMIZER_FILE).is_file():
        return 0
    load_trainable(state, out)
    saved = torch.load(out / OPTIMIZER_FILE, map_location=CPU, weights_only=True)
    optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    logger.info("resumed at step %d", saved["step"])
    return int(saved["step"])


def _restore_mean(state: Mapping[str, Tensor], out: Path, start: int) -> dict[str, Tensor]:
    """The running mean of a resumed run; a new one starts from the weights."""
    if start and (out / MEAN_FILE).is_file():
        saved = load_file(out / MEAN_FILE)
        return {name: value.to(state[name].device) for name, value in saved.items()}
    return {name: value.detach().clone().contiguous() for name, value in state.items()}


@torch.no_grad()
def _follow(mean: Mapping[str, Tensor], state: Mapping[str, Tensor], decay: float) -> None:
    """Move a mean towards the weights; a decay of 0 copies them."""
    for name, value in mean.items():
        value.lerp_(state[name], 1 - decay)


def load_trainable(state: Mapping[str, Tensor], folder: Path) -> None:
    """Copy a checkpoint's values into parameters of the same names.

    Raises:
        BundleError: if the checkpoint is missing or does not hold the same names and shapes.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        raise BundleError(f"a checkpoint requires {CHECKPOINT_FILE}; found none: train it first")
    saved = load_file(path)
    if missing := _difference(_shapes(state), _shapes(saved)):
        raise BundleError(
            f"the checkpoint must hold the parameters that train, '{missing}' differs; "
            "train again or use the configuration that it was trained with"
        )
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(saved[name])


def _shapes(state: Mapping[str, Tensor]) -> set[tuple[str, torch.Size]]:
    return {(name, value.shape) for name, value in state.items()}


def _difference(state: set[tuple[str, torch.Size]], saved: set[tuple[str, torch.Size]]) -> str:
    names = sorted(name for name, _ in state ^ saved)
    return names[0] if names else ""
