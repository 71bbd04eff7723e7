"""Where a loop trains: the CPU, this process's GPU, or one of several processes; by accelerate."""

from __future__ import annotations

import torch
from accelerate import Accelerator


def training_accelerator(batches_per_step: int = 1) -> Accelerator:
    """Return what places, averages and clips in this process.

    A CUDA GPU where there is one, else the CPU. `ACCELERATE_USE_CPU=true` keeps to the CPU;
    `accelerate launch` starts several processes. Number types are chosen by `models.number_type`
    and not here, since losses and projectors stay in fp32 while matrix products do not.

    Args:
        batches_per_step: batches of a process whose gradients make one optimizer step.
    """
    return Accelerator(
        cpu=not torch.cuda.is_available(), gradient_accumulation_steps=batches_per_step
    )


def training_device() -> torch.device:
    """The device that stages hand to `run_loop`, and send their batches to."""
    device: torch.device = training_accelerator().device
    return device
