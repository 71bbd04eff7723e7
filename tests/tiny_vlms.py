"""Tiny random image-text models of twelve families, in the layout in which the Hub holds them.

Two layers, 64 numbers wide. Weights are wider than a fresh model's, whose predictions are nearly
flat and would hide mistakes. Chat templates are shortened from memory of the families' own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    GenerationConfig,
    PreTrainedTokenizerFast,
)

WORDS = [
    "You are a helpful assistant. user model assistant User: Assistant: What is the diagnosis? "
    "Query: benign malignant normal Reference: irregular margin, posterior shadow, carcinoma. "
    'system USER ASSISTANT [{"bbox_2d": [12, 345, 678, 90], "label": "lesion"}] (1,2),(3,4) '
    "invasive ductal carcinoma oval round parallel cyst none."
] * 30
START, END, TEXT_END = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
MEAN, STD, HALF = [0.481, 0.458, 0.408], [0.269, 0.261, 0.276], [0.5] * 3
TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
}
SIGLIP = VISION | {"model_type": "siglip_vision_model", "vision_use_head": False}
CLIP = VISION | {
    "model_type": "clip_vision_model",
    "num_hidden_layers": 3,
    "projection_dim": 32,
}


def chatml(image: str, *, system: bool = True, generation: str = START + "assistant\n") -> str:
    """The template of Qwen and of what follows it."""
    first = f"{START}system\nYou are a helpful assistant.{END}\n"
    head = f"{{% if loop.first %}}{first}{{% endif %}}" if system else ""
    return (
        "{% for message in messages %}" + head + START + "{{ message['role'] }}\n"
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
        + image
        + "{% else %}"
        "{{ part['text'] }}{% endif %}{% endfor %}" + END + "\n{% endfor %}"
        "{% if add_generation_prompt %}" + generation + "{% endif %}"
    )


def images_first(user: str, assistant: str, end: str, generation: str) -> str:
    """The template of LLaVA: all images of a turn, then its text."""
    return (
        "{% for message in messages %}{% if message['role'] == 'user' %}" + user + "{% else %}"
        + assistant + "{% endif %}{% for part in message['content'] "
        "| selectattr('type', 'equalto', 'image') %}<image>\n{% endfor %}"
        "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}"
        "{{ part['text'] }}{% endfor %}" + end + "{% endfor %}"
        "{% if add_generation_prompt %}" + generation + "{% endif %}"
    )  # fmt: skip


MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}[INST]"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}[IMG]{% else %}"
    "{{ part['text'] }}{% endif %}{% endfor %}[/INST]{% else %}"
    "{{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
IDEFICS = (
    START + "{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}:{% else %}: {% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% else %}<image>{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<start_of_image>"
    "{% else %}{{ part['text'] | trim }}{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
QWEN_TOKENS = [
    TEXT_END, START, END, "<|box_start|>", "<|box_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
QWEN_NAMES = {"eos_token": END, "pad_token": TEXT_END}
QWEN_PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "min_pixels": 28 * 28,
    "max_pixels": 112 * 112,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": MEAN,
    "image_std": STD,
}
QWEN3_PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "size": {"shortest_edge": 32 * 32, "longest_edge": 128 * 128},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": HALF,
    "image_std": HALF,
}
THINKS = chatml(
    QWEN_IMAGE,
    system=False,
    generation=START + "assistant\n{% if enable_thinking is defined and enable_thinking %}<think>\n"
    "{% else %}<think>\n\n</think>\n\n{% endif %}",
)

Ids = Mapping[str, int]


@dataclass(frozen=True)
class TinyFamily:
    """One family's files. `config` takes the ids of the special tokens."""

    special: Sequence[str]
    template: str | None
    names: Mapping[str, str]
    processor: Mapping[str, Any]
    config: Callable[[Ids], dict[str, Any]]
    model_type: str | None = None
    plain_tokens: Sequence[str] = field(default_factory=tuple)


def qwen(sections: Sequence[int], vision: Mapping[str, Any], **text: Any) -> Any:
    """A Qwen-VL configuration: positions in three axes."""
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": list(sections)}
    rope |= text.pop("rope", {})
    return lambda ids: {
        "text_config": TEXT | {"rope_parameters": rope} | text,
        "vision_config": dict(vision),
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }


QWEN3_VISION = {
    "depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": 64, "intermediate_size": 48,
    "patch_size": 16, "num_position_embeddings": 64,
}  # fmt: skip
INTERLEAVED = {"mrope_interleaved": True}
IDEFICS_FAMILY: dict[str, Any] = {
    "special": [
        TEXT_END, START, "<end_of_utterance>", "<fake_token_around_image>", "<image>",
        "<global-img>",
    ],
    "template": IDEFICS,
    "names": {"bos_token": START, "eos_token": "<end_of_utterance>", "pad_token": START},
    "config": lambda ids: {
        "text_config": TEXT | {"model_type": "llama"},
        "vision_config": dict(VISION),
        "scale_factor": 2,
        "image_token_id": ids["<image>"],
    },
}  # fmt: skip
IDEFICS_PROCESSOR = {
    "size": {"longest_edge": 112},
    "max_image_size": {"longest_edge": 56},
    "do_image_splitting": True,
    "do_pad": True,
    "image_mean": HALF,
    "image_std": HALF,
}
PINPOINTS = [[56, 56], [56, 112], [112, 56], [112, 112]]

FAMILIES: Mapping[str, TinyFamily] = {
    "qwen2_vl": TinyFamily(
        QWEN_TOKENS, chatml(QWEN_IMAGE), QWEN_NAMES, QWEN_PROCESSOR,
        qwen([2, 3, 3], {
            "depth": 2, "embed_dim": 32, "num_heads": 2, "hidden_size": 64, "mlp_ratio": 2,
            "patch_size": 14,
        }),
    ),
    "qwen2_5_vl": TinyFamily(
        QWEN_TOKENS, chatml(QWEN_IMAGE), QWEN_NAMES, QWEN_PROCESSOR,
        qwen([2, 3, 3], {
            "depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": 64,
            "intermediate_size": 48, "patch_size": 14, "window_size": 56,
            "fullatt_block_indexes": [1],
        }),
    ),
    "qwen3_vl": TinyFamily(
        QWEN_TOKENS, chatml(QWEN_IMAGE, system=False), QWEN_NAMES, QWEN3_PROCESSOR,
        qwen([4, 2, 2], QWEN3_VISION | {"deepstack_visual_indexes": [0]}, rope=INTERLEAVED,
             tie_word_embeddings=True),
    ),
    "qwen3_5": TinyFamily(
        [*QWEN_TOKENS, "<think>", "</think>"], THINKS, QWEN_NAMES, QWEN3_PROCESSOR,
        qwen([4, 2, 2], QWEN3_VISION, rope=INTERLEAVED | {"partial_rotary_factor": 1.0},
             layer_types=["linear_attention", "full_attention"], linear_num_value_heads=4,
             linear_num_key_heads=2, linear_key_head_dim=16, linear_value_head_dim=16),
    ),
    "pixtral": TinyFamily(
        ["<s>", "</s>", "<pad>", "[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"],
        MISTRAL, {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"},
        {
            "image_processor_type": "PixtralImageProcessor", "size": {"longest_edge": 96},
            "patch_size": {"height": 16, "width": 16}, "image_mean": MEAN, "image_std": STD,
        },
        lambda ids: {
            "text_config": TEXT | {"model_type": "mistral"},
            "vision_config": VISION | {
                "model_type": "pixtral", "head_dim": 16, "image_size": 96, "patch_size": 16,
            },
            "image_token_index": ids["[IMG]"],
            "vision_feature_layer": -1,
            "vision_feature_select_strategy": "full",
        },
        model_type="llava",
    ),
    "smolvlm": TinyFamily(
        processor=IDEFICS_PROCESSOR | {"image_processor_type": "SmolVLMImageProcessor"},
        **IDEFICS_FAMILY,
    ),
    "idefics3": TinyFamily(
        processor=IDEFICS_PROCESSOR | {"image_processor_type": "Idefics3ImageProcessor"},
        **IDEFICS_FAMILY,
    ),
    "gemma3": TinyFamily(
        [
            "<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>",
            "<end_of_image>", "<image_soft_token>",
        ],
        GEMMA, {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"},
        {
            "image_processor_type": "Gemma3ImageProcessor",
            "size": {"height": 112, "width": 112}, "image_mean": HALF, "image_std": HALF,
        },
        lambda ids: {
            "text_config": TEXT | {
                "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"],
                "query_pre_attn_scalar": 16,
            },
            "vision_config": SIGLIP | {"image_size": 112},
            "mm_tokens_per_image": 16,
            "boi_token_index": ids["<start_of_image>"],
            "eoi_token_index": ids["<end_of_image>"],
            "image_token_index": ids["<image_soft_token>"],
        },
    ),
    "paligemma": TinyFamily(
        ["<pad>", "<eos>", "<bos>", "<image>"], None,
        {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"},
        {
            "image_processor_type": "SiglipImageProcessor",
            "size": {"height": 56, "width": 56}, "image_mean": HALF, "image_std": HALF,
        },
        lambda ids: {
            "text_config": TEXT | {
                "model_type": "gemma2", "sliding_window": 4096, "query_pre_attn_scalar": 16,
            },
            "vision_config": SIGLIP | {"projection_dim": 64},
            "projection_dim": 64,
            "image_token_index": ids["<image>"],
        },
        plain_tokens=[f"<loc{number:04d}>" for number in range(1024)],
    ),
    "llava15": TinyFamily(
        ["<unk>", "<s>", "</s>", "<image>", "<pad>"],
        images_first("USER: ", "ASSISTANT: ", " ", "ASSISTANT:"),
        {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
        {
            "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 56},
            "crop_size": {"height": 56, "width": 56}, "image_mean": MEAN, "image_std": STD,
        },
        lambda ids: {
            "text_config": TEXT | {"model_type": "llama"},
            "vision_config": CLIP,
            "image_token_index": ids["<image>"],
            "vision_feature_layer": -2,
            "vision_feature_select_strategy": "default",
        },
        model_type="llava",
    ),
    "llava_onevision": TinyFamily(
        [TEXT_END, START, END, "<image>", "<video>"],
        images_first(START + "user ", START + "assistant ", END, START + "assistant\n"),
        QWEN_NAMES,
        {
            "image_processor_type": "LlavaOnevisionImageProcessor",
            "size": {"height": 56, "width": 56}, "image_grid_pinpoints": PINPOINTS,
            "image_mean": HALF, "image_std": HALF,
        },
        lambda ids: {
            "text_config": TEXT | {"model_type": "qwen2"},
            "vision_config": SIGLIP,
            "image_token_index": ids["<image>"],
            "video_token_index": ids["<video>"],
            "vision_feature_layer": -1,
            "vision_feature_select_strategy": "full",
            "image_grid_pinpoints": PINPOINTS,
        },
    ),
    "internvl": TinyFamily(
        [TEXT_END, START, END, "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
        chatml("<IMG_CONTEXT>\n", system=False), QWEN_NAMES,
        {
            "image_processor_type": "GotOcr2ImageProcessorFast",
            "size": {"height": 56, "width": 56}, "crop_to_patches": False, "min_patches": 1,
            "max_patches": 12, "image_mean": MEAN, "image_std": STD,
        },
        lambda ids: {
            "text_config": TEXT | {"model_type": "qwen2"},
            "vision_config": VISION | {"image_size": [56, 56], "patch_size": [14, 14]},
            "image_token_id": ids["<IMG_CONTEXT>"],
            "downsample_ratio": 0.5,
        },
    ),
}  # fmt: skip


def write_tokenizer(special: Sequence[str], **names: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of a few hundred pieces."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(WORDS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


def write_tiny_vlm(name: str, folder: Path, family: TinyFamily | None = None) -> Path:
    """Write one family's model, tokenizer, template and image processor settings.

    Args:
        name: of the family.
        folder: to write.
        family: files of another size; None for the tiny ones.
    """
    family = family or FAMILIES[name]
    tokenizer: Any = write_tokenizer(family.special, **family.names)
    tokenizer.add_tokens(list(family.plain_tokens))
    if family.template is not None:
        tokenizer.chat_template = family.template
    tokenizer.save_pretrained(folder)
    values = family.config({each: tokenizer.convert_tokens_to_ids(each) for each in family.special})
    ends: dict[str, Any] = {
        key: getattr(tokenizer, key)
        for key in ("bos_token_id", "eos_token_id", "pad_token_id")
        if getattr(tokenizer, key) is not None
    }
    values["text_config"] |= {"vocab_size": len(tokenizer)} | ends
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = AutoConfig.for_model(family.model_type or name, **values)
        model = AutoModelForImageTextToText.from_config(config)
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if weight.ndim > 1:
                    weight.mul_(4.0)
                if key.endswith("image_newline") or not weight.any():
                    weight.normal_(std=0.1)
    model.generation_config = GenerationConfig(**ends)
    model.save_pretrained(folder)
    settings = json.dumps(dict(family.processor))
    (folder / "preprocessor_config.json").write_text(settings, encoding="utf-8")
    return folder
