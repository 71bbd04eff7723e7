"""How far answers lie from those in fp32, and from a plain loop in the same precision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image as Pillow
from torch import Tensor

from benchmarks.readers.cases import LABELS, QUESTION, Image, candidates, pictures, reader_of
from jomed_app.models.reader.vlm.reader import VlmReader
from tests.models.reader.vlm.plain_loop import plain_log_probs

PRECISIONS = ("fp32", "bf16", "nf4", "int8")
NUM_CANDIDATES = 3


def compare(name: str, root: Path) -> Iterator[dict[str, Any]]:
    """Compare one family's answers in every precision.

    Args:
        name: of the family.
        root: where its model is written.

    Yields:
        Of every precision: largest difference of a label's log-probability from fp32 and from the
        plain loop in the same precision, nats; the standard deviation of the values in fp32; how
        many layers are held in 4 bits, and how many of them cannot be laid out.
    """
    exact: Tensor | None = None
    images = pictures(0, NUM_CANDIDATES + 1)
    for precision in PRECISIONS:
        reader = reader_of(name, root, precision)
        scores, plain = _scores(reader, images), _plain(reader, images)
        exact = scores if exact is None else exact
        four = [each for each in reader.model.modules() if type(each).__name__ == "Linear4bit"]
        yield {
            "family": name,
            "precision": precision,
            "from_fp32": round(float((scores - exact).abs().max()), 4),
            "from_plain_loop": float(f"{(scores[: len(plain)] - plain).abs().max():.1e}"),
            "spread": round(float(exact.std()), 2),
            "labels_changed": int((scores.argmax(-1) != exact.argmax(-1)).sum()),
            "four_bit_layers": len(four),
            "not_laid_out": sum(not _can_be_laid_out(each) for each in four),
        }


def _can_be_laid_out(layer: Any) -> bool:
    """Whether bitsandbytes 0.50 can lay a 4-bit layer out on a CPU with AVX512-BF16."""
    return int(layer.in_features) % 64 == 0 and int(layer.out_features) % 32 == 0


def _scores(reader: VlmReader, images: list[Image]) -> Tensor:
    query, *others = reader.encode(images)
    return reader.score(reader.read(query, QUESTION, candidates(reader, others)), LABELS)


@torch.inference_mode()
def _plain(reader: VlmReader, images: list[Image]) -> Tensor:
    """The same of the rows with a candidate: one row, one label at a time, from pixels."""
    query, *others = reader.encode(images)
    rows = []
    for known, image in zip(candidates(reader, others), images[1:], strict=True):
        row = reader.writer.beside(query, QUESTION, known)
        shown = [Pillow.fromarray(each) for each in (images[0], image)]
        rows.append(
            [
                float(plain_log_probs(reader, row, shown, reader.writer.answer(label)).sum())
                for label in LABELS
            ]
        )
    return torch.tensor(rows)
