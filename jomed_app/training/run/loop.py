"""The loop every stage shares: one optimizer, one schedule, checkpoints, progress, cancel.

It runs on a CPU, on one GPU or in several processes, each with batches of its own; accelerate
averages and clips the gradients.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn

from jomed_app.progress import OnProgress
from jomed_app.training.run.checkpoint import restore_checkpoint, save_checkpoint
from jomed_app.training.run.device import training_accelerator

logger = logging.getLogger(__name__)

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
    device: torch.device | None = CPU,
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
            are on the CPU afterwards. None leaves them where they lie.

    Returns:
        The log: one dictionary of floats per step run now, of this process's last batch.

    Raises:
        BundleError: if a checkpoint does not fit the modules, or is damaged.
        StorageError: if a checkpoint cannot be written; the one before stays.
        FloatingPointError: if the loss stops being finite; the last checkpoint stays.
    """
    out.mkdir(parents=True, exist_ok=True)
    accelerator = training_accelerator(settings.batches_per_step)
    if device is not None:
        _place(modules, device)
    state = trainable_state(modules)
    factors = lr_factors or {}
    peaks = [settings.lr * factors.get(name.split(".", 1)[0], 1.0) for name in state]
    groups = [
        {
            "params": [p],
            "lr": peak,
            "weight_decay": settings.weight_decay if p.ndim > 1 else 0.0,
        }
        for p, peak in zip(state.values(), peaks, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    logger.info(
        "%d values learn in %d steps: rate %g, weight decay %g, gradient norm up to %g",
        sum(value.numel() for value in state.values()),
        settings.steps,
        settings.lr,
        settings.weight_decay,
        settings.clip_norm,
    )
    start, kept_mean = restore_checkpoint(out, state, optimizer) if resume else (0, {})
    _start_alike(state, accelerator)
    mean = (kept_mean or _copy_of(state)) if settings.average else None
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
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * _cosine(step, settings.steps, settings.warmup)
        optimizer.step()
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
            save_checkpoint(out, state, optimizer, step + 1, mean)
    if mean is not None:
        _follow(state, mean, 0.0)
    accelerator.wait_for_everyone()
    if device is not None:
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


def _copy_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as they are: where a running mean starts."""
    return {name: value.detach().clone().contiguous() for name, value in state.items()}


@torch.no_grad()
def _follow(mean: Mapping[str, Tensor], state: Mapping[str, Tensor], decay: float) -> None:
    """Move a mean towards the weights; a decay of 0 copies them."""
    for name, value in mean.items():
        value.lerp_(state[name], 1 - decay)
