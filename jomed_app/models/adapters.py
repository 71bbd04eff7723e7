"""LoRA adapters: put into a model, folded into it, read and written; the one door to PEFT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from jomed_app.errors import ConfigError
from jomed_app.models.loading import disable_repacking, is_repacked
from jomed_app.storage.durable import whole_folder

LANGUAGE_LINEARS = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"


def attach_lora(model: PreTrainedModel, rank: int, alpha: int, dropout: float = 0.0) -> nn.Module:
    """Freeze the model, add LoRA to all linear layers of the language model, free the projector.

    Ours: the token embeddings learn too, since location tokens and task words start untrained.

    Returns:
        The PEFT model; `merge_lora` turns it back into a plain one.
    """
    from peft import LoraConfig, get_peft_model

    disable_repacking(model)
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=LANGUAGE_LINEARS
    )
    adapted = get_peft_model(model, config)
    model.model.multi_modal_projector.float().requires_grad_(True)
    model.get_input_embeddings().float().requires_grad_(True)
    return adapted


def merge_lora(adapted: nn.Module) -> PreTrainedModel:
    """Fold the adapters into the weights and return the plain model."""
    merged = adapted.merge_and_unload()  # type: ignore[operator]
    merged.requires_grad_(False)
    merged.eval()
    return merged  # type: ignore[no-any-return]


def load_adapter(model: PreTrainedModel, folder: str, *, merge: bool) -> PreTrainedModel:
    """Put a LoRA adapter into a model, in place, or fold it into the weights.

    Returns:
        The bare model, not PEFT's wrapper around it.

    Raises:
        ConfigError: if the folder holds no adapter that fits.
    """
    adapted: Any = _read_adapter(model, folder, learns=False)
    if merge:
        return adapted.merge_and_unload()  # type: ignore[no-any-return]
    return model


def _read_adapter(model: PreTrainedModel, folder: str, *, learns: bool) -> nn.Module:
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, folder, is_trainable=learns)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ConfigError(
            f"reader.adapter must be a folder that PEFT wrote for this model, "
            f"'{Path(folder).name}' is none; name another or leave it empty"
        ) from error


def add_adapter(
    model: PreTrainedModel,
    *,
    layers: str,
    rank: int,
    alpha: int,
    dropout: float = 0.0,
    whole: Sequence[str] = (),
    seed: int = 0,
) -> nn.Module:
    """Freeze a model and put a fresh adapter into it, in place; the adapter leaves it as it was.

    Adapters are held in fp32, whatever the model's number type is.

    Args:
        model: as it was loaded. One in 4 bits must not have answered: see `require_tunable`.
        layers: regular expression of the linear layers that get an adapter, by their full names.
        rank: of the adapter.
        alpha: its change of a layer is scaled by alpha / rank.
        dropout: on what goes into an adapter, in [0, 1).
        whole: ends of the names of modules of which a copy learns as a whole.
        seed: of the initial weights.

    Returns:
        PEFT's wrapper, which knows the adapter by name; the model itself is used as before.

    Raises:
        ValueError: if the model is in 4 bits and was laid out for answers.
    """
    from peft import LoraConfig, get_peft_model

    require_tunable(model)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=layers,
        modules_to_save=list(whole) or None,
    )
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def resume_adapter(model: PreTrainedModel, folder: Path) -> nn.Module:
    """Put an adapter of a folder into a model, in place, so that it learns on.

    Returns:
        PEFT's wrapper, as `add_adapter`.

    Raises:
        ConfigError: if the folder holds no adapter that fits.
        ValueError: if the model is in 4 bits and was laid out for answers.
    """
    require_tunable(model)
    return _read_adapter(model, str(folder), learns=True)


def save_adapter(adapted: Any, folder: Path, base: str) -> None:
    """Write an adapter as PEFT does; an older folder is replaced once the new one is whole.

    Args:
        adapted: PEFT's wrapper.
        folder: to write.
        base: name of the model that it belongs to, as the folder shall tell it.
    """
    adapted.peft_config["default"].base_model_name_or_path = base
    with whole_folder(folder) as beside:
        adapted.save_pretrained(beside, save_embedding_layers=False)


def require_tunable(model: nn.Module) -> None:
    """Keep a model's 4-bit layers trainable on CPUs with AVX512-BF16.

    Raises:
        ValueError: if layers were laid out for answers already, through which gradients are lost
            without an error (bitsandbytes 0.50).
    """
    if is_repacked(model):
        raise ValueError(
            "a model in 4 bits must be tuned before it answers on this processor, found its "
            "layers laid out for answers; load it anew"
        )
    disable_repacking(model)
