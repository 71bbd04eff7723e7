"""How long one answer takes: ours, and beside it the loop of the original release, in one run.

Run: python -m benchmarks.speed.answer --out docs/results
The plain loop uses the same weights in fp32. For each of the K candidates it calls `generate` with
the whole row, both images through the tower, nothing shared and nothing kept. Both sides get the
same PNG bytes, query by query in turn. Prints one JSON line; `--out` also keeps it as a report and
writes the page answer.md.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks import ROOT
from benchmarks.kept import Measured
from benchmarks.machine import commit, hardware
from benchmarks.speed.cold_start import cold_start
from benchmarks.speed.report import NEW_TOKENS, STEPS
from benchmarks.threads import threads_set
from benchmarks.write_results import publish
from jomed_app.imaging import read_image
from jomed_app.inference.engine import Engine
from jomed_app.inference.load import BundleParts, load_bundle, load_engine
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.prompt_encoder import PromptEncoder
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.search import find_candidates
from jomed_app.simulator import simulate_case
from jomed_app.types import CandidatesFound, Completed, FinalReady

FIRST_SEED = 3_000_000  # far from every simulated corpus


class PlainLoop:
    """One candidate after the other, each a `generate` of its own, as the original release does.

    Args:
        parts: the bundle in fp32.
        index: searched anew for every query.
        k: candidates.

    Raises:
        ValueError: if the bundle holds another reader than the embedded one.
    """

    def __init__(self, parts: BundleParts, index: CandidateIndex, k: int) -> None:
        self.parts = parts
        self.index = index
        self.k = k
        if not isinstance(parts.reader, PackedReader):
            raise ValueError("the plain loop requires the embedded reader, found another")
        self.reader = reader = parts.reader
        tokens = reader.grid**2
        self.rows = PromptEncoder(
            reader.tokenizer,
            image_token_id=reader.prompts.image_token_id,
            query_tokens=tokens,
            candidate_tokens=tokens,
        )

    @torch.inference_mode()
    def answer(self, png: bytes) -> list[str]:
        """Return what was generated beside each candidate."""
        reader = self.reader
        image = read_image(png)
        vectors = self.parts.retriever.encode_query(image.model_input)
        own = self.index.ids_of_image(image.sha256)
        hits = find_candidates(self.index, vectors, (self.k + 1) // 2, exclude_ids=own)[: self.k]
        texts = []
        for hit in hits:
            record = self.index.candidate(hit.candidate_id)
            pictures = [image.model_input, self.index.image(hit.candidate_id)]
            ids = torch.tensor(
                [
                    self.rows.query(self.parts.task.question)
                    + self.rows.candidate(record.label, record.passage)
                ]
            )
            generated = reader.model.generate(  # type: ignore[operator]
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                pixel_values=to_pixel_values(
                    [letterbox(each, reader.image_size) for each in pictures]
                ),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
                eos_token_id=self.rows.end_id,
                pad_token_id=int(reader.tokenizer.pad_token_id or 0),
            )
            texts.append(str(reader.tokenizer.decode(generated[0, ids.shape[1] :])))
        return texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print one JSON line and, with `--out`, write the result files."""
    options = _parse(arguments)
    images = list(_fresh_images(options.queries))
    with threads_set(options.threads):
        values = measure(options.bundle, options.index, images, k=options.k)
    values |= cold_start(options.bundle, options.index, images[:3], options.threads)
    result = {
        "benchmark": "answer",
        "hardware": hardware(),
        "threads": options.threads,
        "torch": torch.__version__,
        "commit": commit(),
        "n": len(images),
        "k": options.k,
    } | values
    sys.stdout.write(json.dumps(result) + "\n")
    if options.out is not None:
        publish("answer", result, Measured(bundle=bundle_name(options.bundle)), options.out)
    return 0


def measure(bundle: Path, index: Path, images: Sequence[bytes], *, k: int) -> dict[str, Any]:
    """Answer every image with the engine, warm, and with the plain loop, in turn.

    Args:
        bundle: folder.
        index: folder.
        images: PNG files, one per query; at least one.
        k: candidates per query.

    Returns:
        Milliseconds (median, 95th percentile) of each step and of the plain loop, their ratio end
        to end, what ran, and how many queries the engine refused; those are not timed.

    Raises:
        ValueError: if the engine refuses every image.
    """
    engine = load_engine(bundle, index)
    engine.warm()
    parts = load_bundle(bundle, "fp32")
    plain = PlainLoop(parts, CandidateIndex.load(index, parts.retriever.fingerprint), k)
    _time_engine(engine, images[0], k)
    plain.answer(images[0])
    steps: dict[str, list[float]] = {name: [] for name in STEPS}
    naive: list[float] = []
    for png in images:
        times = _time_engine(engine, png, k)
        if times is None:
            continue
        for name, value in times.items():
            steps[name].append(value)
        start = time.perf_counter()
        plain.answer(png)
        naive.append(1000 * (time.perf_counter() - start))
    if not naive:
        raise ValueError("the engine must accept one image or more, it refused all of them")
    return {
        "precision": engine.reader.number_type,
        "refused": len(images) - len(naive),
        "ours_ms": {name: _summary(values) for name, values in steps.items()},
        "plain_loop_ms": _summary(naive),
        "ratio": round(float(np.median(naive) / np.median(steps["completed"])), 2),
    }


def _time_engine(engine: Engine, png: bytes, k: int) -> dict[str, float] | None:
    """Milliseconds from the file's bytes to each step; None where the image is refused."""
    times: dict[str, float] = {}
    start = time.perf_counter()
    for event in engine.run(read_image(png), k=k):
        passed = 1000 * (time.perf_counter() - start)
        match event:
            case CandidatesFound():
                times["candidates"] = passed
            case FinalReady():
                times["final"] = passed
            case Completed():
                times["completed"] = passed
    return times if "candidates" in times else None


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(values)), 1),
        "p95": round(float(np.quantile(values, 0.95)), 1),
    }


def _fresh_images(count: int) -> Iterator[bytes]:
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        stream = io.BytesIO()
        Image.fromarray(simulate_case(seed).image).save(stream, "PNG")
        yield stream.getvalue()


def bundle_name(folder: Path) -> str:
    """Which bundle answered, in words."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return f"bundle {manifest['version']}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--bundle", type=Path, default=ROOT / "assets" / "bundle")
    parser.add_argument("--index", type=Path, default=ROOT / "index" / "simulated")
    parser.add_argument("--queries", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--out", type=Path, default=None, help="folder of the page answer.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
