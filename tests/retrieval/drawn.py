"""A corpus of small drawn images, and an encoder that needs no weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.data.records import CaseRecord
from jomed_app.types import Head

LABELS = ("normal", "benign", "malignant")


class DrawnEncoder:
    """Images by their mean over a 4 x 4 grid, passages by their words; fixed projections."""

    def __init__(self, fingerprint: str = "a1b2", dim: int = 16) -> None:
        self.fingerprint = fingerprint
        self.dim = dim
        self.images_encoded = 0
        rng = np.random.default_rng(7)
        self._frozen = rng.normal(size=(48, dim))
        self._text_query = self._frozen + 0.3 * rng.normal(size=(48, dim))

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.images_encoded += len(images)
        return _unit(np.stack([_grid(image) for image in images]) @ self._frozen)

    def encode_passages(self, passages: Sequence[str]) -> NDArray[np.float32]:
        return _unit(np.stack([self._words(passage) for passage in passages]))

    def encode_query(self, image: NDArray[np.uint8]) -> dict[Head, NDArray[np.float32]]:
        features = _grid(image)[None]
        return {
            "image": _unit(features @ self._frozen)[0],
            "text": np.float32(0.9) * _unit(features @ self._text_query)[0],
        }

    def _words(self, passage: str) -> NDArray[np.float64]:
        total = np.zeros(self.dim)
        for word in passage.split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            total += np.random.default_rng(seed).normal(size=self.dim)
        return total


def _grid(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(48,) means of a 4 x 4 grid of RGB cells, centered."""
    small = np.asarray(Image.fromarray(image).resize((4, 4), Image.Resampling.BOX), dtype=float)
    return small.reshape(-1) / 255.0 - 0.5


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def draw_case(folder: Path, number: int, *, group: str = "") -> CaseRecord:
    """Write one image of 60 x 80 or 400 x 300 px and return its record."""
    rng = np.random.default_rng(1000 + number)
    rows, columns = (60, 80) if number % 3 else (400, 300)
    coarse = rng.integers(0, 256, size=(5, 5, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((columns, rows), Image.Resampling.BICUBIC)
    name = f"images/c{number:03d}.png"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    image.save(folder / name)
    label = LABELS[number % 3]
    boxes = () if label == "normal" else ((columns / 4, rows / 4, columns / 2, rows / 2),)
    return CaseRecord(
        case_id=f"c{number:03d}",
        image=name,
        label=label,
        passage=f"{label} case, word{number % 5} and word{number % 7}",
        extended_passage=f"a longer wording of case {number}",
        descriptors={} if label == "normal" else {"shape": "oval", "margin": "indistinct"},
        boxes=boxes,
        group=group,
        split="train",
        rows=rows,
        columns=columns,
        provenance={"source": "drawn", "seed": str(number)},
    )
