"""Loading weights: the one door to bitsandbytes and PEFT, and the choice of precision.

Weights are stored in one form (NF4 in the embedded bundle) and run in another, which a rule chooses
from what the machine is (docs/number_types.md).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import psutil
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    BitsAndBytesConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedModel,
)

from jomed_app.errors import ConfigError
from jomed_app.models.cpu.grouped_attention import NAME as GROUPED
from jomed_app.models.cpu.grouped_attention import register_grouped_attention
from jomed_app.models.cpu.packed_linear import pack_linears
from jomed_app.models.number_type import chosen_dtype, dtype_name, rule_dtype
from jomed_app.models.vision_tower import EfficientNetLiteModel, register_vision_tower

logger = logging.getLogger(__name__)

LANGUAGE_LINEARS = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
KEPT_WHOLE = [r".*vision_tower", r".*multi_modal_projector", "lm_head"]  # never quantized
MEMORY_SHARE = 0.5  # of the machine's memory that weights may fill; ours: the rest is for answers


class Precision(StrEnum):
    """How weights are held while running."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    NF4 = "nf4"


def parse_precision(name: str) -> Precision:
    """Return the precision of this name.

    Raises:
        ConfigError: if there is none.
    """
    try:
        return Precision(name)
    except ValueError as error:
        known = ", ".join(each.value for each in Precision)
        raise ConfigError(f"precision must be one of {known}, found '{name}'") from error


def choose_precision(weight_gib_bf16: float) -> Precision:
    """Choose by rule, so that every process of a machine chooses alike.

    A number type that is set (`JOMED_NUMBER_TYPE`) is obeyed. Else weights may fill half of the
    machine's memory, all of it and not what is free at the moment: NF4 where bf16 would fill more,
    bf16 where fp32 would, else the number type of the machine.

    Args:
        weight_gib_bf16: size of the model's weights in bf16, GiB.

    Raises:
        ConfigError: if the number type that is set is unknown.
    """
    if chosen := chosen_dtype():
        return Precision(dtype_name(chosen))
    room = MEMORY_SHARE * _total_memory_gib()
    if weight_gib_bf16 > room:
        return Precision.NF4
    return Precision.BF16 if 2 * weight_gib_bf16 > room else Precision(dtype_name(rule_dtype()))


def _total_memory_gib() -> float:
    """Memory of the first GPU, or of the machine where there is none."""
    if torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory) / 2**30
    return float(psutil.virtual_memory().total) / 2**30


def quantization_config(precision: Precision) -> BitsAndBytesConfig | None:
    """Return how transformers should quantize while loading; None for fp32 and bf16."""
    match precision:
        case Precision.NF4:
            return BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=torch.bfloat16,
                llm_int8_skip_modules=KEPT_WHOLE,
            )
        case Precision.INT8:
            return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=KEPT_WHOLE)
        case _:
            return None


def load_image_text_model(folder: Path | str, precision: Precision) -> PreTrainedModel:
    """Load an image-text-to-text model in a precision, whatever form it is stored in.

    Raises:
        ConfigError: if a model that is stored in 4 bits is asked for in int8.
    """
    register_vision_tower()
    config = AutoConfig.from_pretrained(folder)
    stored = getattr(config, "quantization_config", None) is not None
    if stored and precision is Precision.INT8:
        raise ConfigError("a model stored in NF4 can run as nf4, bf16 or fp32, not as int8")
    dtype = torch.float32 if precision is Precision.FP32 else torch.bfloat16
    # A stored model brings its own settings; even `None` would take their place.
    settings = {} if stored else {"quantization_config": quantization_config(precision)}
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, **settings)
    if stored and precision in (Precision.BF16, Precision.FP32):
        model = model.dequantize().to(dtype)
    model.eval()
    return model


def prepare_for_answers(model: PreTrainedModel) -> None:
    """Make an image-text model on the CPU fast at short packed sequences, in place.

    Its answers stay the same up to rounding, which in bf16 moves a probability by up to 0.01; so
    whatever is compared must be prepared alike. The model can then neither be trained nor saved.
    On a GPU, or in another precision than bf16, only what applies is done.
    """
    if next(model.parameters()).device.type != "cpu":
        return
    register_grouped_attention()
    model.model.language_model.set_attn_implementation(GROUPED)
    pack_linears(model.model.language_model)
    _pack_four_bit_layers(model)


@torch.no_grad()
def _pack_four_bit_layers(model: nn.Module) -> None:
    """Let bitsandbytes lay 4-bit weights out now, on CPUs with AVX512-BF16.

    It does so in a layer's first forward. Two first answers at once, as a page may ask for, would
    read weights that are half laid out: one failed and the other was wrong (bitsandbytes 0.50).
    """
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False):
            module(torch.zeros(1, int(module.in_features), dtype=torch.bfloat16))  # type: ignore[arg-type]


def load_text_encoder(folder: Path | str) -> PreTrainedModel:
    """Load a text encoder for running in fp32, whatever form it is stored in."""
    config = AutoConfig.from_pretrained(folder)
    stored = getattr(config, "quantization_config", None) is not None
    model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    if stored:
        model = model.dequantize().to(torch.float32)
    model.eval()
    return model  # type: ignore[no-any-return]


def store_quantized_encoder(folder: Path, out: Path) -> None:
    """Load a plain text encoder in NF4 and write it so; tokenizer files are copied."""
    model = AutoModel.from_pretrained(
        folder, dtype=torch.bfloat16, quantization_config=quantization_config(Precision.NF4)
    )
    model.save_pretrained(out)
    _copy_tokenizer(folder, out)


def build_llava(tower: Path, language: Path, image_token_id: int) -> LlavaForConditionalGeneration:
    """Join a vision tower and a language model, as folders, with a fresh projector (fp32)."""
    register_vision_tower()
    vision = EfficientNetLiteModel.from_pretrained(tower, dtype=torch.float32)
    text = LlamaForCausalLM.from_pretrained(language, dtype=torch.float32)
    return join_llava(vision, text, image_token_id)


def join_llava(
    vision: EfficientNetLiteModel, text: LlamaForCausalLM, image_token_id: int
) -> LlavaForConditionalGeneration:
    """Join a vision tower and a language model that are in memory, with a fresh projector."""
    register_vision_tower()
    config = LlavaConfig(
        vision_config=vision.config,
        text_config=text.config,
        image_token_index=image_token_id,
        image_seq_length=vision.config.grid**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(vision.state_dict())
    model.model.language_model.load_state_dict(text.model.state_dict())
    model.tie_weights()
    return model


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


def disable_repacking(model: nn.Module) -> None:
    """Keep 4-bit layers trainable on CPUs with AVX512-BF16.

    There, the first forward in eval mode repacks a `Linear4bit` and no gradient passes from then
    on, with no error (bitsandbytes 0.50).
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def store_quantized(folder: Path, out: Path, names: Sequence[str] = ()) -> None:
    """Load a plain model folder in NF4 and write it so; tokenizer files are copied.

    Args:
        folder: transformers folder with plain weights.
        out: folder to write.
        names: further file names to copy.
    """
    model = load_image_text_model(folder, Precision.NF4)
    model.save_pretrained(out)
    _copy_tokenizer(folder, out, names)


def _copy_tokenizer(folder: Path, out: Path, names: Sequence[str] = ()) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", *names):
        if (folder / name).is_file():
            shutil.copy2(folder / name, out / name)
