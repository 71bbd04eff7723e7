"""Images that are not of the task's kind, to teach the domain check what to refuse."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jomed_app.data.sources.busi import BUSI_FOLDER
from jomed_app.imaging import read_image

PER_SET = 160


def foreign_images(data: Path | None, seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Yield (rows, columns, 3) uint8 images: other public sets, photographs, made-up patterns.

    Args:
        data: root with further prepared image sets beside the task's own; None uses none.
        seed: of the choice and of the patterns.
    """
    rng = np.random.default_rng(seed)
    if data is not None:
        for folder in sorted(path for path in data.iterdir() if (path / "images").is_dir()):
            if folder.name == BUSI_FOLDER:
                continue
            files = sorted(path for path in (folder / "images").rglob("*") if path.is_file())
            for place in rng.permutation(len(files))[:PER_SET]:
                yield read_image(files[int(place)], region=None).model_input
        yield from _small_fundus_images(data, rng)
    yield from _photographs(rng)
    yield from _patterns(rng)


def _small_fundus_images(data: Path, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    import pandas as pd

    for table in sorted(data.glob("*/*.parquet")):
        rows = pd.read_parquet(table)
        if "png" not in rows:
            continue
        for place in rng.permutation(len(rows))[:PER_SET]:
            picture = Image.open(io.BytesIO(rows["png"].iloc[int(place)])).convert("RGB")
            yield np.asarray(picture.resize((256, 256), Image.Resampling.BICUBIC))


def _photographs(rng: np.random.Generator, crops: int = 60) -> Iterator[NDArray[np.uint8]]:
    """Crops of the two photographs that ship with scikit-learn, in color and in gray."""
    from sklearn.datasets import load_sample_images

    for photograph in load_sample_images().images:
        rows, columns = photograph.shape[:2]
        for place in range(crops):
            height = int(rng.integers(rows // 4, rows))
            width = int(rng.integers(columns // 4, columns))
            top = int(rng.integers(0, rows - height))
            left = int(rng.integers(0, columns - width))
            crop = photograph[top : top + height, left : left + width]
            if place % 2:
                crop = np.repeat(crop.mean(-1, keepdims=True), 3, axis=-1).astype(np.uint8)
            yield np.ascontiguousarray(crop, dtype=np.uint8)


def _patterns(rng: np.random.Generator, count: int = 80) -> Iterator[NDArray[np.uint8]]:
    """Noise, gradients, stripes, drawings and pages of text."""
    y, x = np.mgrid[0:256, 0:256] / 255.0
    for place in range(count):
        match place % 5:
            case 0:
                gray = rng.random((256, 256)) * 255
            case 1:
                angle = rng.uniform(0, np.pi)
                gray = 255 * np.clip(x * np.cos(angle) + y * np.sin(angle), 0, 1)
            case 2:
                waves = rng.uniform(10, 80) * (x * rng.random() + y * rng.random())
                gray = 127 + 127 * np.sin(waves)
            case _:
                page = Image.new("L", (256, 256), int(rng.integers(180, 256)))
                draw = ImageDraw.Draw(page)
                for _ in range(int(rng.integers(3, 14))):
                    a, b = rng.integers(0, 200, 2)
                    if place % 5 == 3:
                        draw.text((int(a), int(b)), "report " * 4, fill=int(rng.integers(0, 90)))
                    else:
                        size = int(rng.integers(10, 90))
                        place_of_disc = (int(a), int(b), int(a) + size, int(b) + size)
                        draw.ellipse(place_of_disc, fill=int(rng.integers(0, 200)))
                gray = np.asarray(page, dtype=np.float64)
        yield np.repeat(gray[..., None], 3, axis=-1).astype(np.uint8)
