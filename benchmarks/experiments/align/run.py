"""What each alignment loss brings, side by side: `make bench-align DATA=folder`.

Every row is a file in `benchmarks/experiments/align/options/`, trained at each share of the triples
and with each seed, on the same kept views and the same texts, for about the same time: losses that
cost more per step get fewer steps, by a ratio timed beforehand and kept (`--equal-steps`
adds rows without that). A finished run is kept as a file and not repeated; `--report` alone makes
the pages anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import ROOT
from benchmarks.experiments.align.data import Bench, prepare
from benchmarks.experiments.align.measures import probe_hits, question_hits, recall_hits
from benchmarks.experiments.align.report import summarize_folder
from benchmarks.kept import Measured
from benchmarks.threads import threads_set
from benchmarks.write_results import publish
from jomed_app.config.load import JomedConfig, load_config
from jomed_app.data.corpus import assign_folds
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.models.towers.families import VisionTower
from jomed_app.models.towers.tokens import pool_tokens
from jomed_app.progress import show_progress
from jomed_app.training.align.train import (
    KeptViews,
    ViewMaps,
    tokens_of,
    train_align,
)
from jomed_app.training.align.triples import thinned_out
from jomed_app.training.cases.image_set import ImageSet
from jomed_app.training.run.workspace import Workspace

OPTIONS = Path(__file__).parent / "options"
ROWS = ("infonce", "graph", "graph_infonce")
FRACTIONS = (0.1, 0.4, 1.0)
TIMED = (("last", 32, 9), ("last", 64, 9), ("last", 128, 5), ("all", 64, 3))
SOLVERS = ("linear", "linearization", "swaps")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, then write the pages."""
    options = _parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.report:
        with threads_set(options.threads):
            _run_missing(options)
    trained = Measured(note="Every row is trained from base weights.")
    publish("align", summarize_folder(options.out), trained)
    return 0


def _run_missing(options: argparse.Namespace) -> None:
    """Time the losses and run every row that is not there yet."""
    config = load_config(OPTIONS / "graph.toml", [f'align.data="{options.data}"'])
    bench = prepare(Workspace(options.run, config), options.out)
    timing = options.out / "timing.json"
    if not timing.is_file():
        timing.write_text(json.dumps(time_losses(bench, options.out), indent=1), encoding="utf-8")
    costs = json.loads(timing.read_text(encoding="utf-8"))
    missing = [
        (row, fraction, seed)
        for seed in range(options.seeds)
        for fraction in options.fractions
        for row in options.rows
        if not _result_file(options.out, _named(row, options), fraction, seed).is_file()
    ]
    with show_progress("align benchmark", options.out / "bench.log") as on_progress:
        for place, (row, fraction, seed) in enumerate(missing):
            result = run_row(bench, row, fraction, seed, costs, options)
            text = json.dumps(result)
            name = _named(row, options)
            _result_file(options.out, name, fraction, seed).write_text(text, encoding="utf-8")
            on_progress(place + 1, len(missing), recall=result["means"]["recall@10"])


def run_row(
    bench: Bench,
    row: str,
    fraction: float,
    seed: int,
    costs: dict[str, Any],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Train one row and measure it; hits are kept case by case."""
    config = row_config(row, fraction, seed, bench.work.config)
    key = f"{config.align.loss} {config.graph.solver}"
    measured = costs.get(f"{config.align.trained} {config.align.batch_size}", {})
    ratio = 1.0 if options.equal_steps else measured.get(key, {}).get("ratio", 1.0)
    steps = max(1, round((options.steps or config.align.steps) / ratio))
    torch.manual_seed(seed)
    tower = bench.work.fresh_tower()
    projections = bench.work.fresh_projections()
    chosen = thinned_rows(bench.train, fraction, seed)
    folder = options.out / "runs" / f"{row}-{fraction}-{seed}"
    start = time.perf_counter()
    history = train_align(
        tower,
        projections,
        bench.train.subset(chosen.tolist()),
        [each[chosen] for each in bench.passages],
        config.align.replaced(steps=steps),
        folder,
        graph=config.graph,
        source=KeptViews(tower, bench.maps.of_images(chosen)),
    )
    seconds = time.perf_counter() - start
    for file in folder.glob("*"):
        file.unlink()
    hits = measure(bench, tower, projections, seed)
    return {
        "row": _named(row, options),
        "fraction": fraction,
        "seed": seed,
        "steps": steps,
        "seconds": seconds,
        "triples": len(chosen),
        "last": history[-1],
        "means": {name: float(np.mean(each)) for name, each in hits.items()},
        "hits": {name: each.astype(int).tolist() for name, each in hits.items()},
    }


def row_config(row: str, fraction: float, seed: int, base: JomedConfig) -> JomedConfig:
    """The row's configuration at one share of the triples and one seed."""
    return load_config(
        OPTIONS / f"{row}.toml",
        [f"align.fraction={fraction}", f"align.seed={seed}", f'align.data="{base.align.data}"'],
    )


def thinned_rows(images: ImageSet, fraction: float, seed: int) -> NDArray[np.int64]:
    """Rows of a share of every source, as `train align` would draw them."""
    place = {each.case_id: row for row, each in enumerate(images.records)}
    by_source: dict[str, list[Any]] = {}
    for each in images.records:
        by_source.setdefault(each.provenance.get("source", ""), []).append(each)
    kept = [each for part in by_source.values() for each in thinned_out(part, fraction, seed)]
    return np.array(sorted(place[each.case_id] for each in kept), dtype=np.int64)


@torch.no_grad()
def pooled_features(tower: VisionTower, maps: ViewMaps, batch_size: int = 64) -> Tensor:
    """Pooled tower features (N, F) of the first view of every image."""
    rows = []
    for start in range(0, maps.boxes.shape[1], batch_size):
        part = slice(start, start + batch_size)
        tokens = tokens_of(tower, *(each[0, part] for each in maps.kept))
        rows.append(pool_tokens(tokens, tower.config))
    return torch.cat(rows)


def measure(
    bench: Bench, tower: VisionTower, projections: RetrieverProjections, seed: int
) -> dict[str, NDArray[np.bool_]]:
    """Hits of every column, case by case; recall within each source, then put together."""
    seen = pooled_features(tower, bench.maps)
    held = pooled_features(tower, bench.held_maps)
    with torch.no_grad():
        image = projections.embed_features(held).numpy()
        text = projections.embed_passages(bench.held_passages).numpy()
    encoded = bench.held_passages.numpy()
    parts = [
        recall_hits(image[rows], text[rows], encoded[rows])
        for rows in (bench.held_sources == name for name in np.unique(bench.held_sources))
    ]
    hits = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    task = bench.work.task
    rows = [row for row, each in enumerate(bench.train.records) if each.case_id.startswith("busi-")]
    records = [bench.train.records[row] for row in rows]
    labels = np.array([task.labels.index(each.label) for each in records], dtype=np.intp)
    hits |= probe_hits(seen[rows].numpy(), labels, assign_folds(records, 5, 0))
    features = torch.cat([seen, held])[bench.question_rows]
    hits["slake"] = question_hits(
        features, bench.questions, bench.answers, bench.question_is_training, seed=seed
    )
    return hits


def time_losses(bench: Bench, out: Path) -> dict[str, Any]:
    """Milliseconds of a training step by what learns, batch, loss and solver; ratio to InfoNCE."""
    found: dict[str, Any] = {}
    for trained, batch, steps in TIMED:
        times: dict[str, float] = {}
        for loss, solver in (
            ("infonce", "linearization"),
            *(("graph", each) for each in SOLVERS),
            *(("graph+infonce", each) for each in SOLVERS),
        ):
            config = load_config(
                OPTIONS / "graph.toml",
                [
                    f"align.loss={loss}",
                    f"graph.solver={solver}",
                    f"align.batch_size={batch}",
                    f"align.trained={trained}",
                    f"align.steps={steps}",
                ],
            )
            tower, projections = bench.work.fresh_tower(), bench.work.fresh_projections()
            marks: list[float] = []
            train_align(
                tower,
                projections,
                bench.train,
                bench.passages,
                config.align,
                out / "timing",
                graph=config.graph,
                source=KeptViews(tower, bench.maps) if trained == "last" else None,
                on_progress=lambda *_, marks=marks, **__: marks.append(time.perf_counter()),
            )
            times[f"{loss} {solver}"] = 1000 * float(np.median(np.diff(marks)))
        base = times["infonce linearization"]
        found[f"{trained} {batch}"] = {
            name: {"step_ms": value, "ratio": value / base} for name, value in times.items()
        }
    return found


def _result_file(out: Path, row: str, fraction: float, seed: int) -> Path:
    return out / f"{row}-{fraction}-{seed}.json"


def _named(row: str, options: argparse.Namespace) -> str:
    return f"{row}_equal_steps" if options.equal_steps else row


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, help="root of the public sets")
    parser.add_argument("--run", type=Path, default=ROOT / "checkpoints" / "embedded")
    parser.add_argument("--out", type=Path, default=ROOT / "checkpoints" / "align_bench")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), help="names of option files")
    parser.add_argument("--fractions", nargs="+", type=float, default=list(FRACTIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="of InfoNCE; 0 takes the config's")
    parser.add_argument(
        "--equal-steps", action="store_true", help="as many steps for all, whatever they cost"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="only write the pages")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
