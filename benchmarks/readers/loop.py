"""The plain loop: one `generate` a candidate, from pixels, nothing shared and nothing kept."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from benchmarks.readers.cases import LABELS, QUESTION, Image, candidates, pictures
from jomed_app.models.reader.vlm.reader import VlmReader
from jomed_app.models.reader.vlm.rows import Row


@torch.inference_mode()
def generate_each(reader: VlmReader, rows: Sequence[Row], shown: Sequence[Sequence[Image]]) -> None:
    """Generate beside every candidate as transformers does: pixels to words, row after row.

    Args:
        reader: whose model, processor and ids are taken.
        rows: ids of each row; they are not timed, since images need not be seen to write them.
        shown: images of each row.
    """
    model: Any = reader.model
    room = max(len(reader.writer.answer(label, complete=True)) for label in LABELS)
    for row, images in zip(rows, shown, strict=True):
        given = model_inputs(reader, row, images)
        model.generate(
            **given,
            max_new_tokens=room,
            min_new_tokens=room,  # a random model would say the end at any time
            do_sample=False,
            pad_token_id=reader.writer.pad_id,
        )


def model_inputs(reader: VlmReader, row: Row, images: Sequence[Image]) -> dict[str, Any]:
    """What a family's own processor gives for a row, from pixels."""
    ids = torch.tensor([row.ids])
    family, processor = reader.family, reader.encoder.processor
    pillows = [Pillow.fromarray(each) for each in images]
    given = dict(
        processor(
            images=[pillows] if family.nested else pillows,
            return_tensors="pt",
            **family.image_options,
        )
    )
    given["pixel_values"] = given["pixel_values"].to(reader.model.dtype)
    given |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if family.reads_both_ways:
        given[str(family.type_ids)] = torch.zeros_like(ids)
    elif family.type_ids:
        given[family.type_ids] = (ids == reader.writer.image_token_id).long()
    if family.twin:
        given["batch_num_images"] = torch.tensor([len(images)])
    known = inspect.signature(reader.model.forward).parameters
    return {name: value for name, value in given.items() if name in known}


def time_both(reader: VlmReader, k: int, queries: int) -> dict[str, Any]:
    """Answer queries both ways by turns, after one that is not timed.

    Returns:
        Milliseconds of processor time, medians: the plain loop; ours with all images to encode;
        ours with the candidates' images encoded ahead, as the app holds them. And what was read.
    """
    spent: dict[str, list[float]] = {"plain_loop": [], "ours": [], "ours_held": []}
    tokens: list[int] = []
    for seed in range(queries + 1):
        images = pictures(seed, k + 1)
        start = time.process_time()
        others = reader.encode(images[1:])
        held = time.process_time()
        (query,) = reader.encode(images[:1])
        known = candidates(reader, others)
        reader.score(reader.read(query, QUESTION, known), LABELS)
        end = time.process_time()
        rows = [reader.writer.beside(query, QUESTION, each) for each in known]
        shown = [(images[0], image) for image in images[1:]]
        again = time.process_time()
        generate_each(reader, rows, shown)
        last = time.process_time()
        if seed:
            spent["plain_loop"].append(1000 * (last - again))
            spent["ours"].append(1000 * (end - start))
            spent["ours_held"].append(1000 * (end - held))
            tokens += [len(row.ids) for row in rows]
    plain = np.array(spent["plain_loop"])
    return {
        "parameters_m": round(sum(each.numel() for each in reader.model.parameters()) / 1e6, 1),
        "row_tokens": round(float(np.mean(tokens))),
        **{f"{name}_ms": round(float(np.median(each)), 1) for name, each in spent.items()},
        "ratio": round(float(np.median(plain / spent["ours"])), 2),
        "ratio_held": round(float(np.median(plain / spent["ours_held"])), 2),
    }
