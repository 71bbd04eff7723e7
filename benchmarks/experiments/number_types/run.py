"""Answer the same real images in every number type, and write docs/results/number_types.md.

Run: python -m benchmarks.experiments.number_types.run --data DIR
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.experiments.number_types.compare import compare
from benchmarks.kept import Measured
from benchmarks.threads import threads_set
from benchmarks.write_results import publish
from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX
from jomed_app.data.corpus import load_corpus
from jomed_app.data.tasks import load_task
from jomed_app.imaging import read_image
from jomed_app.inference.load import load_engine
from jomed_app.models.number_type import (
    BF16_INSTRUCTIONS,
    NUMBER_TYPES,
    dtype_name,
    rule_dtype,
)
from jomed_app.types import Completed, ImageRecord, Result

PRODUCT = (256, 576, 1536)  # rows, inner, columns: a short sequence times a matrix of the reader
TIMES = 20
# Name on the page -> precision, threads.
WAYS = {
    "fp32": ("fp32", 2),
    "bf16": ("bf16", 2),
    "nf4": ("nf4", 2),
    "fp32, one thread": ("fp32", 1),
    "bf16, one thread": ("bf16", 1),
    "nf4, one thread": ("nf4", 1),
}
COMPARED = (
    ("bf16", "fp32"),
    ("nf4", "fp32"),
    ("nf4", "bf16"),
    ("fp32, one thread", "fp32"),
    ("bf16, one thread", "bf16"),
    ("nf4, one thread", "nf4"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer, compare, write the figures and the page."""
    chosen = _parse(arguments)
    images = list(real_images(chosen.data, chosen.count, chosen.seed))
    results = {
        name: answer_all(chosen.bundle, chosen.index, images, precision, threads)
        for name, (precision, threads) in WAYS.items()
    }
    versions = results["fp32"][0].versions
    values = {
        "images": len(images),
        "seed": chosen.seed,
        "index": versions.index,
        "torch": torch.__version__,
        "processor": processor(),
        "rule": dtype_name(rule_dtype()),
        "product": PRODUCT,
        "giga_flops": {name: giga_flops(dtype) for name, dtype in NUMBER_TYPES.items()},
        "abstained": {
            name: sum(each.final.prediction is None for each in answered)
            for name, answered in results.items()
        },
        "differences": [
            {"way": one, "against": other} | compare(results[one], results[other]).to_dict()
            for one, other in COMPARED
        ],
    }
    publish("number_types", values, Measured(bundle=f"bundle {versions.bundle.split()[1]}"))
    return 0


def real_images(data: Path, count: int, seed: int) -> Iterator[ImageRecord]:
    """Draw images of BreastMNIST's train and val splits, at BUSI's resolution."""
    folder, records = load_corpus(load_task("breast"), data, ("train", "val"))
    order = np.random.default_rng(seed).permutation(len(records))[:count]
    for place in sorted(order.tolist()):
        yield read_image(folder / records[place].image)


def answer_all(
    bundle: Path, index: Path, images: Sequence[ImageRecord], precision: str, threads: int
) -> list[Result]:
    """Answer every image by an engine that is loaded in one precision."""
    results = []
    with threads_set(threads):
        engine = load_engine(bundle, index, precision=precision)
        start = time.monotonic()
        for image in images:
            *_, completed = engine.run(image)
            assert isinstance(completed, Completed), "the last event carries the result"
            results.append(completed.result)
        seconds = time.monotonic() - start
    sys.stderr.write(f"{precision}, {threads} threads: {len(results)} in {seconds:.0f} s\n")
    return results


def giga_flops(dtype: torch.dtype) -> float:
    """Best speed of one short matrix product on this processor, 10^9 operations a second."""
    rows, inner, columns = PRODUCT
    left, right = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    return 2e-9 * rows * inner * columns / min(seconds)


def processor() -> str:
    """Name of the processor, and which bf16 instructions it says it has."""
    able = torch.cpu.get_capabilities()
    has = [name for name in BF16_INSTRUCTIONS if able.get(name)]
    name = able.get("cpu_name") or platform.processor() or platform.machine()
    return f"{name} ({', '.join(has) or 'no bf16 instructions'})"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="root of the public sets")
    parser.add_argument("--count", type=int, default=120, help="images")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--index", type=Path, default=DEFAULT_INDEX)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
