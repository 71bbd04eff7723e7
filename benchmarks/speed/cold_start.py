"""A fresh process that loads a bundle and answers: seconds to its first answer, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import ROOT

COLD = """
import resource, sys
from pathlib import Path
bundle, index, *images = map(Path, sys.argv[1:])
import torch
torch.set_num_threads(int(__import__("os").environ["OMP_NUM_THREADS"]))
from jomed_app.imaging import read_image
from jomed_app.inference.load import load_engine
engine = load_engine(bundle, index)
list(engine.run(read_image(images[0].read_bytes())))
print("answered", flush=True)
engine.warm()
for image in images:
    list(engine.run(read_image(image.read_bytes())))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
"""


def cold_start(
    bundle: Path, index: Path, images: Sequence[bytes], threads: int
) -> dict[str, float]:
    """Start a fresh process, load and answer; seconds to the first answer and peak memory.

    Args:
        bundle: folder.
        index: folder.
        images: PNG files; the first one is answered first.
        threads: of the new process.
    """
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{place}.png" for place in range(len(images))]
        for file, content in zip(files, images, strict=True):
            file.write_bytes(content)
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
        }
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", COLD, str(bundle), str(index), *map(str, files)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        ) as process:
            assert process.stdout is not None, "a pipe was asked for"
            first = process.stdout.readline().strip()
            seconds = time.perf_counter() - start
            rest = process.stdout.read().strip()
        if first != "answered" or process.returncode:
            raise RuntimeError(f"the fresh process must answer, it ended with {process.returncode}")
    return {
        "cold_start_s": round(seconds, 2),
        "peak_memory_gb": round(int(rest) * 1024 / 1e9, 3),
    }
