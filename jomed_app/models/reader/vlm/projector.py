"""The projector of a reader: what turns the vision part's features into words of the language part.

It learns as a copy beside the adapter (PEFT's `modules_to_save`), so it is written with the adapter
and comes back with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from jomed_app.errors import ConfigError

# As the families call it; Qwen3-VL has one more for each layer that sees features of its own.
PROJECTOR = r"(?:multi_modal_projector|connector|visual\.merger|visual\.deepstack_merger_list\.\d+)"


def projector_names(model: nn.Module) -> list[str]:
    """Names of the modules that make up a model's projector.

    Raises:
        ConfigError: if none is known.
    """
    found = [
        name for name, _ in model.named_modules() if re.fullmatch(rf"(?:.*\.)?{PROJECTOR}", name)
    ]
    if not found:
        raise ConfigError(
            f"aligning requires a model whose projector is known by name, found none in "
            f"'{type(model).__name__}'; take a LLaVA-like reader.model"
        )
    return found


def projector_copies(model: nn.Module, names: list[str]) -> list[nn.Module]:
    """The copies of the projector that learn, of a model whose adapter holds it whole.

    Copies of a model in 16 bits are held in fp32 from now on, or small steps would be lost; what
    goes in and comes out stays in the model's number type.
    """
    copies = [model.get_submodule(f"{name}.modules_to_save.default") for name in names]
    for each in copies:
        dtype = next(each.parameters()).dtype
        if dtype != torch.float32:
            each.float()
            each.register_forward_pre_hook(_to_full, with_kwargs=True)
            each.register_forward_hook(lambda _, args, output, dtype=dtype: _cast(output, dtype))
    return copies


def _to_full(module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
    return _cast(args, torch.float32), _cast(kwargs, torch.float32)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    """The same with floating numbers in another type; whole numbers and the rest stay."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, tuple | list):
        return type(value)(_cast(each, dtype) for each in value)
    if isinstance(value, Mapping):
        return {name: _cast(each, dtype) for name, each in value.items()}
    return value
