"""The number type that matrix products run in, by a rule that every process of a machine obeys.

In order: what `JOMED_NUMBER_TYPE` says; bf16 with a CUDA GPU; bf16 where the processor has
instructions that multiply it; else fp32. Nothing is timed and no free memory is looked at, so one
file gets one answer (docs/number_types.md, docs/adr/0016).

Ours: a processor without such instructions emulates bf16, up to 50 times slower than fp32, so
neither training nor answering may take bf16 for granted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from jomed_app.errors import ConfigError

VARIABLE = "JOMED_NUMBER_TYPE"
NUMBER_TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
# As `torch.cpu.get_capabilities` names them: AVX-512 and AMX of x86; NEON and SVE of Arm.
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


def compute_dtype() -> torch.dtype:
    """The number type of this machine, or the one that is set.

    Raises:
        ConfigError: if an unknown one is set.
    """
    return chosen_dtype() or rule_dtype()


def chosen_dtype() -> torch.dtype | None:
    """What `JOMED_NUMBER_TYPE` says; None where it is unset or empty.

    Raises:
        ConfigError: if it names no number type.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    if name not in NUMBER_TYPES:
        known = " or ".join(NUMBER_TYPES)
        raise ConfigError(f"{VARIABLE} must be {known}, found '{name}'; mend or unset it")
    return NUMBER_TYPES[name]


def rule_dtype() -> torch.dtype:
    """bf16 with a CUDA GPU or a processor that multiplies it, else fp32."""
    is_fast = torch.cuda.is_available() or multiplies_bf16()
    return torch.bfloat16 if is_fast else torch.float32


def multiplies_bf16() -> bool:
    """Whether the processor has bf16 instructions, and oneDNN is there to use them."""
    has_instructions = any(_capabilities().get(name) for name in BF16_INSTRUCTIONS)
    return torch.backends.mkldnn.is_available() and has_instructions


def _capabilities() -> Mapping[str, object]:
    """What the processor can do; PyTorch before 2.11 can be asked about x86 alone."""
    if hasattr(torch.cpu, "get_capabilities"):
        return torch.cpu.get_capabilities()
    return {"avx512_bf16": torch.cpu._is_avx512_bf16_supported()}


def dtype_name(dtype: torch.dtype) -> str:
    """Return bf16 or fp32, as results and reports write it.

    Raises:
        ValueError: if it is another type.
    """
    for name, each in NUMBER_TYPES.items():
        if each is dtype:
            return name
    raise ValueError(f"a number type must be among {list(NUMBER_TYPES)}, found {dtype}")


def autocast(device: torch.device | None = None) -> torch.autocast:
    """Run a training step's matrix products in `compute_dtype`, on a device or on the CPU."""
    kind = "cpu" if device is None else device.type
    return torch.autocast(kind, torch.bfloat16, enabled=compute_dtype() is torch.bfloat16)
