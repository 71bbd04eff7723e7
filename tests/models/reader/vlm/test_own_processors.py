"""Token ids of a row equal those of the family's own processor, built by hand.

Most processors of transformers require torchvision for their video part, which is left out here:
image processor, tokenizer and template are what they need for images.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest
import transformers
from PIL import Image
from transformers.models.pixtral import image_processing_pil_pixtral

from tests.models.reader.vlm.conftest import QUESTION

# Class, and what processor_config.json of such a checkpoint says: tokens an image, patches.
PROCESSORS = {
    "qwen2_vl": ("Qwen2VLProcessor", {}),
    "qwen2_5_vl": ("Qwen2_5_VLProcessor", {}),
    "qwen3_vl": ("Qwen3VLProcessor", {}),
    "qwen3_5": ("Qwen3VLProcessor", {}),
    "pixtral": ("PixtralProcessor", {"patch_size": 16}),
    "smolvlm": ("SmolVLMProcessor", {"image_seq_len": 4}),
    "idefics3": ("Idefics3Processor", {"image_seq_len": 4}),
    "gemma3": ("Gemma3Processor", {"image_seq_length": 16}),
    "paligemma": ("PaliGemmaProcessor", {}),
    "llava15": (
        "LlavaProcessor",
        {
            "patch_size": 14,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        },
    ),
    "llava_onevision": (
        "LlavaOnevisionProcessor",
        {"num_image_tokens": 16, "vision_feature_select_strategy": "full"},
    ),
    "internvl": ("InternVLProcessor", {"image_seq_length": 4}),
}
# Named tokens that a checkpoint's tokenizer_config.json brings along.
TOKENS = {
    "gemma3": {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    },
    "internvl": {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    },
}
# They are given a list of images for each row.
BY_ROW = ("idefics3", "smolvlm", "gemma3", "paligemma", "llava_onevision")


def processor_class(name, monkeypatch):
    """A family's class, without what it would need for videos."""
    kind = PROCESSORS[name][0]
    if name == "pixtral":  # its module takes one function from one that requires torchvision
        stand_in = ModuleType("image_processing_pixtral")
        resized = image_processing_pil_pixtral.get_resize_output_image_size
        stand_in.get_resize_output_image_size = resized
        place = "transformers.models.pixtral"
        monkeypatch.setitem(sys.modules, f"{place}.image_processing_pixtral", stand_in)
        module = importlib.import_module(f"{place}.processing_pixtral")
        monkeypatch.delitem(sys.modules, f"{place}.processing_pixtral")
        return getattr(module, kind)
    if name == "smolvlm":  # for what it says of a video's length
        module = importlib.import_module("transformers.models.smolvlm.processing_smolvlm")
        monkeypatch.setattr(module, "num2words", str)
    return getattr(transformers, kind)


def own_processor(name, reader, monkeypatch):
    """A family's own processor over the reader's image processor and a tokenizer of its own."""
    kind = processor_class(name, monkeypatch)
    checked = {"check_argument_for_proper_class": lambda self, argument, value: type(value)}
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        reader.writer.tokenizer.name_or_path, extra_special_tokens=TOKENS.get(name, {})
    )
    images = reader.encoder.processor
    if name == "paligemma":
        monkeypatch.setattr(images, "image_seq_length", 16, raising=False)
    takes_videos = name.startswith(("qwen", "smolvlm", "llava_onevision", "internvl"))
    return type(kind.__name__, (kind,), checked)(
        image_processor=images,
        tokenizer=tokenizer,
        chat_template=tokenizer.chat_template,
        **({"video_processor": None} if takes_videos else {}),
        **PROCESSORS[name][1],
    )


@pytest.mark.parametrize("shown", [1, 2, 3])
def test_ids_are_those_of_the_family_s_own_processor(
    tiny_vlm, family, pictures, monkeypatch, shown
):
    reader = tiny_vlm(family)
    query, *others = reader.encode(pictures)
    known = reader.candidate(others[shown - 1], "benign", "Oval, parallel: posterior shadow.")
    row = reader.writer.beside(query, QUESTION, known)
    texts = []
    monkeypatch.setattr(
        reader.writer,
        "_render",
        lambda *given, render=reader.writer._render: texts.append(render(*given)) or texts[-1],
    )
    assert reader.writer.beside(query, QUESTION, known).ids == row.ids

    processor = own_processor(family, reader, monkeypatch)
    images = [Image.fromarray(pictures[place]) for place in (0, shown)]
    (text,) = texts
    if family == "paligemma":  # it writes the beginning, images and the line break itself
        text = text.replace("<bos>", "").removesuffix("\n")
    options = reader.family.image_options
    given = processor(
        text=[text],
        images=[images]
        if family in ("idefics3", "smolvlm", "gemma3", "paligemma", "llava_onevision")
        else images,
        **({"images_kwargs": options} if options else {}),
    )
    assert list(map(int, given["input_ids"][0])) == row.ids
    assert row.ids.count(reader.writer.image_token_id) == sum(
        len(each.features) for each in (query, others[shown - 1])
    )


def test_most_of_them_cannot_be_loaded_as_transformers_would(vlm_folder):
    with pytest.raises(ImportError, match=r"[Tt]orchvision"):
        transformers.AutoProcessor.from_pretrained(vlm_folder("qwen2_5_vl"))
