"""Made-up cases, and readers with random weights: what takes time and bits is the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.config.backbones import ReaderBackbone
from jomed_app.models.reader.vlm.images import SeenImage
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.reader.vlm.reader import VlmReader
from jomed_app.models.source import find_model
from tests.tiny_vlms import FAMILIES, TinyFamily, write_tiny_vlm

QUESTION = "What is the diagnosis: normal, benign or malignant?"
LABELS = ("normal", "benign", "malignant")
PASSAGE = "Oval, parallel mass with an irregular margin and posterior shadow."
SHAPES = ((320, 448), (448, 320), (400, 400), (300, 420), (440, 440))  # px; none is shrunk first
MIDDLE = "qwen2_5_vl, middle"
Image = NDArray[np.uint8]


def pictures(seed: int, count: int) -> list[Image]:
    """Images of speckle, none of them alike."""
    draw = np.random.default_rng(seed)
    shapes = [SHAPES[place % len(SHAPES)] for place in range(count)]
    return [draw.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def candidates(reader: VlmReader, seen: Sequence[SeenImage]) -> list[Any]:
    """Known cases over encoded images."""
    return [
        reader.candidate(each, LABELS[place % len(LABELS)], PASSAGE)
        for place, each in enumerate(seen)
    ]


def middle_family() -> TinyFamily:
    """A Qwen2.5-VL of some 150 million weights that reads 100 to 130 tokens an image."""
    tiny = FAMILIES["qwen2_5_vl"]

    def config(ids: Any) -> dict[str, Any]:
        values = tiny.config(ids)
        values["text_config"] |= {
            "hidden_size": 896,
            "intermediate_size": 2816,
            "num_hidden_layers": 12,
            "num_attention_heads": 14,
            "head_dim": 64,
            "rope_parameters": values["text_config"]["rope_parameters"]
            | {"mrope_section": [8, 12, 12]},
        }
        values["vision_config"] |= {
            "depth": 12,
            "hidden_size": 384,
            "num_heads": 6,
            "intermediate_size": 1024,
            "out_hidden_size": 896,
            "window_size": 112,
            "fullatt_block_indexes": [5, 11],
        }
        return values

    processor = dict(tiny.processor) | {"max_pixels": 320 * 320}
    return dataclasses.replace(tiny, config=config, processor=processor)


def reader_of(name: str, root: Path, precision: str) -> VlmReader:
    """A reader of a family with random weights, laid out for answers."""
    folder = root / name.replace(", ", "_")
    if not folder.is_dir():
        family = middle_family() if name == MIDDLE else None
        write_tiny_vlm(name.split(",")[0], folder, family)
    settings = ReaderBackbone(model=str(folder), precision=precision, device="cpu")
    reader, _ = load_vlm(find_model(settings.model, "", "reader"), settings)
    reader.prepare()
    return reader
