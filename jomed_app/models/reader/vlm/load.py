"""Loading a reader: weights, image processor, tokenizer and chat template, each on its own."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from jomed_app.config.backbones import ReaderBackbone
from jomed_app.errors import ConfigError
from jomed_app.models.adapters import load_adapter
from jomed_app.models.foreign.faults import (
    files_of,
    held_precision,
    require_whole,
    stored_precision,
)
from jomed_app.models.loading import (
    Precision,
    choose_precision,
    keep_unpackable_layers,
    parse_precision,
    quantization_config,
)
from jomed_app.models.memory import memory_of
from jomed_app.models.placement import place
from jomed_app.models.reader.vlm.families import Family, family_of
from jomed_app.models.reader.vlm.reader import BoxSayingReader, VlmReader
from jomed_app.models.source import ModelSource

# bitsandbytes matches these from the beginning of a layer's name.
KEPT_WHOLE = (
    "model.visual",
    "model.vision_tower",
    "model.vision_model",
    "model.multi_modal_projector",
    "model.connector",
    "lm_head",
)

KIND = "an image-text-to-text model of transformers"


def load_vlm(
    source: ModelSource, settings: ReaderBackbone, precision: str = "auto"
) -> tuple[VlmReader, Precision]:
    """Load any image-text-to-text model as a reader.

    Args:
        source: its files.
        settings: how it runs.
        precision: where it is not auto, it takes the place of the setting.

    Returns:
        The reader and how its weights are held.

    Raises:
        ConfigError: if the files hold no such model, or a setting does not fit the machine.
        MemoryShortError: if the weights do not fit.
    """
    wanted = parse_precision(settings.precision if precision == "auto" else precision)
    with _files(source, "configuration"):
        config = AutoConfig.from_pretrained(source.name, revision=source.revision)
        family = _checked_family(config, source)
    stored = stored_precision(config)
    if stored is None and wanted is Precision.AUTO:
        wanted = choose_precision(source.weight_bytes / 2**30)
    chosen = held_precision(stored, wanted)
    with _files(source, "image processor"):
        processor = AutoImageProcessor.from_pretrained(
            source.name, revision=source.revision, backend="pil"
        )
    with _files(source, "tokenizer"):
        tokenizer = _load_tokenizer(source)
    if tokenizer.chat_template is None and family.has_template:
        raise ConfigError(
            f"reader.model must have a chat template (chat_template.jinja), found none in "
            f"'{source.folder.name}'; take the model that was tuned to follow instructions"
        )
    with (
        _files(source, "weights"),
        memory_of("reader.precision (nf4 needs least) or take a smaller reader.model"),
    ):
        model = _load_model(source, settings, stored, chosen)
    kind = VlmReader if family.boxes is None else BoxSayingReader
    with _files(source, "chat template"):
        reader = kind(
            model,
            tokenizer,
            processor,
            family,
            rows_at_once=settings.rows_at_once,
            max_side=settings.max_side_px,
            max_passage_tokens=settings.max_passage_tokens,
        )
    return reader, chosen


def _files(source: ModelSource, part: str) -> AbstractContextManager[None]:
    return files_of(source, "reader", KIND, part)


def _checked_family(config: PreTrainedConfig, source: ModelSource) -> Family:
    """The family of a configuration, one of models that read images and write text."""
    if config.model_type not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise ConfigError(
            f"reader.model must be {KIND}, '{source.folder.name}' is of the kind "
            f"'{config.model_type}'; name another"
        )
    if getattr(config, "vision_config", None) is None or not hasattr(config, "image_token_id"):
        raise ConfigError(
            f"reader.model must have a vision part and an image token, the kind "
            f"'{config.model_type}' of '{source.folder.name}' has not; take another model"
        )
    return family_of(config)


def _load_model(
    source: ModelSource,
    settings: ReaderBackbone,
    stored: Precision | None,
    precision: Precision,
) -> PreTrainedModel:
    dtype = torch.float32 if precision is Precision.FP32 else torch.bfloat16
    quantized = None if stored else quantization_config(precision, KEPT_WHOLE)
    more: dict[str, Any] = {} if quantized is None else {"quantization_config": quantized}
    loader: Any = AutoModelForImageTextToText.from_pretrained
    model, info = loader(
        source.name,
        revision=source.revision,
        dtype=dtype,
        device_map=place(settings.device).device_map,
        ignore_mismatched_sizes=True,  # they are named by `require_whole`
        output_loading_info=True,
        **more,
    )
    require_whole(info, source, "reader")
    if stored and precision in (Precision.BF16, Precision.FP32):
        model = model.dequantize().to(dtype)
    keep_unpackable_layers(model)
    if settings.adapter:
        model = load_adapter(model, settings.adapter, merge=settings.merge_adapter)
    model.requires_grad_(False)
    model.eval()
    bare: PreTrainedModel = model
    return bare


def _load_tokenizer(source: ModelSource) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        source.name, revision=source.revision
    )
    older = source.folder / "chat_template.json"  # which AutoTokenizer does not read
    if tokenizer.chat_template is None and older.is_file():
        tokenizer.chat_template = json.loads(older.read_text(encoding="utf-8"))["chat_template"]
    return tokenizer
