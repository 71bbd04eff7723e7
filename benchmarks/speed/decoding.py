"""What a decoder process costs a file: in the process itself and in a worker, by turns, in one run.

Run: python -m benchmarks.speed.decoding --out docs/results/reliability
Files are made here, 640 x 480 to 3328 x 4096 px. `beside` is the time of the smallest file while
another thread has a worker decode 16 million pixels over and over. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.reliability.records import keep
from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import DecoderPool, ImageReader

LARGE_SIDE = 4000  # px
GOAL_MS = 30.0  # more than in the process itself, median


def files() -> dict[str, bytes]:
    """Name -> bytes of one file each of the kinds that are usual here."""
    rng = np.random.default_rng(0)

    def speckle(rows: int, columns: int) -> NDArray[np.uint8]:
        small = rng.integers(0, 256, (rows // 8, columns // 8), dtype=np.uint8)
        return np.asarray(Image.fromarray(small).resize((columns, rows), Image.Resampling.BICUBIC))

    gray, screen, film = speckle(480, 640), speckle(768, 1024), speckle(4096, 3328)
    color = np.stack([screen, screen // 2, 255 - screen], axis=-1)
    return {
        "PNG, gray, 640 x 480": _saved(gray, "PNG"),
        "PNG, color, 1024 x 768": _saved(color, "PNG"),
        "JPEG, color, 1024 x 768": _saved(color, "JPEG"),
        "TIFF, 16 bit, 3328 x 4096": _saved(film.astype(np.uint16) * 16, "TIFF"),
    }


def measure(repeats: int) -> dict[str, Any]:
    """Decode every file by turns in both ways; milliseconds."""
    result: dict[str, Any] = {}
    made = files()
    with DecoderPool() as pool:
        for name, data in made.items():
            pool.read_image(data)
            here: list[float] = []
            apart: list[float] = []
            for _ in range(repeats):
                here.append(_clock(read_image, data))
                apart.append(_clock(pool.read_image, data))
            extra = [after - before for before, after in zip(here, apart, strict=True)]
            spent = {"in_process_ms": here, "worker_ms": apart, "extra_ms": extra}
            result[name] = {key: _summary(values) for key, values in spent.items()}
        smallest = min(made.values(), key=len)
        beside = _beside(pool, smallest, repeats)
        health = pool.health()
    return {
        "kind": "decoder",
        "goal_extra_ms": GOAL_MS,
        "extra_ms_median": max(each["extra_ms"]["median"] for each in result.values()),
        "files": result,
        "beside_ms": _summary(beside),
        "in_force": list(health.in_force),
    }


def _beside(pool: DecoderPool, data: bytes, repeats: int) -> list[float]:
    """Milliseconds of a small file while another worker is busy with the largest image."""
    large = _saved(np.zeros((LARGE_SIDE, LARGE_SIDE), np.uint8), "PNG")
    done = threading.Event()

    def keep_busy() -> None:
        while not done.is_set():
            pool.read_image(large)

    other = threading.Thread(target=keep_busy)
    other.start()
    try:
        pool.read_image(data)  # the second worker starts
        return [_clock(pool.read_image, data) for _ in range(repeats)]
    finally:
        done.set()
        other.join()


def _clock(read: ImageReader, data: bytes) -> float:
    start = time.perf_counter()
    read(data)
    return 1000 * (time.perf_counter() - start)


def _summary(values: list[float]) -> dict[str, float]:
    middle, high = np.percentile(values, (50, 95))
    return {"median": round(float(middle), 2), "p95": round(float(high), 2)}


def _saved(pixels: NDArray[Any], kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--out", type=Path, default=None, help="folder of the record")
    chosen = parser.parse_args()
    result = measure(chosen.repeats)
    sys.stdout.write(json.dumps(result) + "\n")
    if chosen.out is not None:
        keep("decoder", result, chosen.out)


if __name__ == "__main__":
    main()
