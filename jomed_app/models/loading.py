"""Loading weights: the one door to bitsandbytes, and the choice of precision.

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
from jomed_app.models.towers.families import VisionTower, load_tower, register_towers

logger = logging.getLogger(__name__)

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


def quantization_config(
    precision: Precision, kept_whole: Sequence[str] = tuple(KEPT_WHOLE)
) -> BitsAndBytesConfig | None:
    """Return how transformers should quantize while loading; None for fp32 and bf16.

    Args:
        precision: that is wanted.
        kept_whole: parts that are never quantized.
    """
    match precision:
        case Precision.NF4:
            return BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=torch.bfloat16,
                llm_int8_skip_modules=list(kept_whole),
            )
        case Precision.INT8:
            return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=list(kept_whole))
        case _:
            return None


def load_image_text_model(
    folder: Path | str, precision: Precision, kept_whole: Sequence[str] = tuple(KEPT_WHOLE)
) -> PreTrainedModel:
    """Load an image-text-to-text model in a precision, whatever form it is stored in.

    Args:
        folder: of the model.
        precision: not auto.
        kept_whole: parts that are never quantized; a stored model says so itself.

    Raises:
        ConfigError: if a model that is stored in 4 bits is asked for in int8.
    """
    register_towers()
    config = AutoConfig.from_pretrained(folder)
    stored = getattr(config, "quantization_config", None) is not None
    if stored and precision is Precision.INT8:
        raise ConfigError("a model stored in NF4 can run as nf4, bf16 or fp32, not as int8")
    dtype = torch.float32 if precision is Precision.FP32 else torch.bfloat16
    # A stored model brings its own settings; even `None` would take their place.
    settings = {} if stored else {"quantization_config": quantization_config(precision, kept_whole)}
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, **settings)
    if stored and precision in (Precision.BF16, Precision.FP32):
        model = model.dequantize().to(dtype)
    keep_unpackable_layers(model)
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
    pack_linears(model.model.vision_tower)
    pack_four_bit_layers(model)


@torch.no_grad()
def pack_four_bit_layers(model: nn.Module) -> None:
    """Let bitsandbytes lay 4-bit weights out now, on CPUs with AVX512-BF16.

    It does so in a layer's first forward. Two first answers at once, as a page may ask for, would
    read weights that are half laid out: one failed and the other was wrong (bitsandbytes 0.50).
    """
    for module in model.modules():
        is_here = module.weight.device.type == "cpu" if hasattr(module, "weight") else False
        if is_here and getattr(module, "support_avx512bf16_for_cpu", False):
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
    vision = load_tower(tower)
    text = LlamaForCausalLM.from_pretrained(language, dtype=torch.float32)
    return join_llava(vision, text, image_token_id)


def join_llava(
    vision: VisionTower, text: LlamaForCausalLM, image_token_id: int
) -> LlavaForConditionalGeneration:
    """Join a vision tower and a language model that are in memory, with a fresh projector."""
    register_towers()
    config = LlavaConfig(
        vision_config=vision.config,
        text_config=text.config,
        image_token_index=image_token_id,
        image_seq_length=vision.config.num_leading + vision.config.grid**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",  # a class token is read too
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(vision.state_dict())
    model.model.language_model.load_state_dict(text.model.state_dict())
    model.tie_weights()
    return model


def keep_unpackable_layers(model: nn.Module) -> None:
    """Keep 4-bit layers plain whose shape bitsandbytes cannot lay out on CPUs with AVX512-BF16.

    There, a layer fails at its first forward if its inputs are no multiple of 64 or its outputs
    none of 32 (bitsandbytes 0.50).
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu") and (
            int(module.in_features) % 64 or int(module.out_features) % 32  # type: ignore[arg-type]
        ):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def disable_repacking(model: nn.Module) -> None:
    """Keep 4-bit layers trainable on CPUs with AVX512-BF16.

    There, the first forward in eval mode repacks a `Linear4bit` and no gradient passes from then
    on, with no error (bitsandbytes 0.50).
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def is_repacked(model: nn.Module) -> bool:
    """Whether a 4-bit layer was laid out for answers, so that no gradient passes it."""
    states = (
        getattr(getattr(each, "weight", None), "quant_state", None) for each in model.modules()
    )
    return any(getattr(state, "packing_format_for_cpu", False) for state in states)


def store_quantized(
    folder: Path, out: Path, names: Sequence[str] = (), *, tower: Precision = Precision.BF16
) -> None:
    """Load a plain model folder in NF4 and write it so; tokenizer files are copied.

    Args:
        folder: transformers folder with plain weights.
        out: folder to write.
        names: further file names to copy.
        tower: how the vision tower's linear layers are held: bf16 or nf4.
    """
    whole = KEPT_WHOLE[1:] if tower is Precision.NF4 else KEPT_WHOLE
    model = load_image_text_model(folder, Precision.NF4, whole)
    model.save_pretrained(out)
    _copy_tokenizer(folder, out, names)


def _copy_tokenizer(folder: Path, out: Path, names: Sequence[str] = ()) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", *names):
        if (folder / name).is_file():
            shutil.copy2(folder / name, out / name)
