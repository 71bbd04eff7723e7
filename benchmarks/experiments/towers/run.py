"""Frozen vision towers side by side: `python -m benchmarks.experiments.towers.run --data DIR`.

Each file in the folder `options` is a tower. Its features of BUSI and HAM10000 are computed once
and kept in `--out`; a linear probe and neighbours say what they tell of held-out groups. DINOv2-S
is also held in bf16, int8 and NF4, and its features of BUSI are compared with those of fp32. No
tower is tuned and none has seen a label. `--tasks breast` leaves the larger set out. Writes
docs/results/towers.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.towers.features import BOTH, features_of, milliseconds
from benchmarks.experiments.towers.report import summarize
from benchmarks.experiments.towers.score import NUM_NEIGHBORS, held_out, neighbors, probe
from benchmarks.kept import Measured
from benchmarks.write_results import publish
from jomed_app.config.load import load_config
from jomed_app.data.corpus import load_corpus
from jomed_app.data.tasks import load_task
from jomed_app.models.loading import Precision
from jomed_app.models.number_type import compute_dtype, dtype_name
from jomed_app.models.towers.families import load_tower
from jomed_app.models.towers.storage import round_tower
from jomed_app.progress import show_progress
from jomed_app.training.base_weights.towers import convert_vision_tower

OPTIONS = Path(__file__).parent / "options"
TASKS = ("breast", "derma")
ROUNDED = "dinov2_small_224"
TIMED = 16  # images


def main() -> int:
    """Do what is not done yet, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/towers"))
    known = sorted(each.stem for each in OPTIONS.glob("*.toml"))
    parser.add_argument("--rows", nargs="+", choices=known, default=known)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.rows:
        _convert(name, chosen.out)
    jobs = [
        _job(name, task, chosen.data, chosen.out) for task in chosen.tasks for name in chosen.rows
    ]
    storage = _storage(chosen.data, chosen.out) if ROUNDED in chosen.rows else []
    values = {
        "jobs": jobs,
        "storage": storage,
        "speed": _speed(chosen.rows, chosen.data, chosen.out),
        "number_type": dtype_name(compute_dtype()),
    }
    publish("towers", summarize(values), Measured())
    return 0


def _convert(name: str, out: Path) -> None:
    folder = out / "towers" / name
    if not (folder / "config.json").is_file():
        convert_vision_tower(folder, load_config(OPTIONS / f"{name}.toml").tower)


def _job(name: str, task_name: str, data: Path, out: Path) -> dict[str, Any]:
    """One tower on one set, in every reading of its features."""
    file = out / f"{task_name}.{name}.json"
    if not file.is_file():
        task = load_task(task_name)
        folder, records = load_corpus(task, data, ("train", "val"))
        tower = load_tower(out / "towers" / name)
        with show_progress(file.stem, out / f"{file.stem}.log") as on_progress:
            features = features_of(tower, folder, records, file.with_suffix(".npz"), on_progress)
        ways = {"probe": probe, "neighbours": neighbors(NUM_NEIGHBORS[task_name])}
        readings = [
            {"features": kind, "way": way, **held_out(values, records, task.labels, speak)}
            for kind, values in features.items()
            for way, speak in ways.items()
        ]
        found = {"task": task_name, "tower": name, "readings": readings}
        file.write_text(json.dumps(found | {"classes": list(task.labels)}))
    return dict(json.loads(file.read_text()))


def _storage(data: Path, out: Path) -> list[dict[str, Any]]:
    """Size, shift of the features and probe of every way of holding the weights, on BUSI."""
    file = out / "storage.json"
    if not file.is_file():
        task = load_task("breast")
        folder, records = load_corpus(task, data, ("train", "val"))
        rows, exact = [], None
        for precision in (Precision.FP32, Precision.BF16, Precision.INT8, Precision.NF4):
            held = out / "held" / precision.value
            tower = round_tower(out / "towers" / ROUNDED, precision, held)
            is_plain = precision is Precision.FP32  # whose features stand there already
            kept = out / f"breast.{ROUNDED}{'' if is_plain else '.' + precision.value}.npz"
            found = features_of(tower, folder, records, kept)
            exact = found[BOTH] if exact is None else exact
            shift = np.linalg.norm(found[BOTH] - exact, axis=1) / np.linalg.norm(exact, axis=1)
            rows.append(
                {
                    "storage": precision.value,
                    "mib": sum(each.stat().st_size for each in held.glob("*.safetensors")) / 2**20,
                    "shift": shift.round(5).tolist(),
                    "reading": held_out(found[BOTH], records, task.labels, probe),
                }
            )
        file.write_text(json.dumps(rows))
    return list(json.loads(file.read_text()))


def _speed(names: list[str], data: Path, out: Path) -> dict[str, float]:
    file = out / "speed.json"
    if not file.is_file():
        folder, records = load_corpus(load_task("breast"), data, ("train", "val"))
        towers = [load_tower(out / "towers" / name) for name in names]
        taken = milliseconds(towers, folder, records[:TIMED])
        file.write_text(json.dumps(dict(zip(names, taken, strict=True))))
    return dict(json.loads(file.read_text()))


if __name__ == "__main__":
    raise SystemExit(main())
