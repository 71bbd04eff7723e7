"""How much a localizer must see: `python -m benchmarks.experiments.resolution.run RUN --data DIR`.

Input size times stride of the map: each a localizer trained from the same tower on the same folds'
images with the run's own recipe. For each the ways of telling a box: the most probable bins, the
expected place around them, the expected place over all bins, the box of greatest expected IoU (what
the app draws), and the dense head's regression. A finished job is a file in `--out`. Writes
docs/results/resolution.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.experiments.resolution.report import ENCODINGS
from benchmarks.experiments.runs import measured_on, open_run
from benchmarks.write_results import publish
from jomed_app.boxes import Box
from jomed_app.data.corpus import load_corpus
from jomed_app.evaluation.metrics.boxes import lesion_ious
from jomed_app.models.localizer.detection import WINDOW_BINS, peak_expectation, whole_box
from jomed_app.models.localizer.localizer import Localizer
from jomed_app.training.cases.image_set import load_images
from jomed_app.training.localizer.kept_views import KeptCases, Part
from jomed_app.training.localizer.stage import fresh_localizer, frozen_tower, keep_real
from jomed_app.training.localizer.train import train_localizer
from jomed_app.training.run.workspace import Workspace, groups_of

SIZES = (224, 320, 384)
STRIDES = (16, 8)
TIMED = 24  # images


@torch.inference_mode()
def told_boxes(localizer: Localizer, early: Tensor) -> list[dict[str, Box]]:
    """Each image's box in every encoding."""
    said = localizer(early)
    prob = said.edge_logits.float().softmax(-1)
    centers = (torch.arange(prob.shape[-1]) + 0.5) / prob.shape[-1]
    most, over_all = centers[prob.argmax(-1)], (prob * centers).sum(-1)
    return [
        {
            ENCODINGS[0]: whole_box(most[place]),
            ENCODINGS[1]: whole_box(
                torch.tensor([peak_expectation(edge, WINDOW_BINS)[0] for edge in prob[place]])
            ),
            ENCODINGS[2]: whole_box(over_all[place]),
            ENCODINGS[3]: found.box,
            ENCODINGS[4]: found.boxes[0],
        }
        for place, found in enumerate(localizer.read_out(said))
    ]


def score(
    localizer: Localizer, cases: KeptCases, rows: Sequence[int], groups: Sequence[str]
) -> list[dict[str, Any]]:
    """Per held-out image with a lesion: its group, and every encoding's IoU of each lesion."""
    seen = []
    for row in rows:
        known = cases.boxes[0, row]
        true = [Box(*each) for each in known[~known.isnan().any(-1)].tolist()]
        if true:
            told = told_boxes(localizer, cases.maps[0, [row]].float())[0]
            ious = {name: lesion_ious([box], true).tolist() for name, box in told.items()}
            seen.append({"group": groups[row], "ious": ious})
    return seen


class SizedCases:
    """The cases at one input size, kept once for all strides."""

    def __init__(self, work: Workspace, size: int) -> None:
        config = work.config.train_localizer.replaced(image_size=size)
        self.work = Workspace(work.root, work.config.replaced(train_localizer=config))
        self.tower = frozen_tower(self.work)
        self.cases, self.fold_of = keep_real(self.work, self.tower)


def job(sized: SizedCases, stride: int, folds: Sequence[int], data: Path) -> Any:
    """Train and score one localizer per fold; time the last one."""
    own, tower, cases, fold_of = sized.work, sized.tower, sized.cases, sized.fold_of
    config = own.config.train_localizer.replaced(stride=stride)
    size = config.image_size
    folder, records = load_corpus(own.task, data, ("train", "val"))
    seen: list[dict[str, Any]] = []
    for fold in folds:
        localizer = fresh_localizer(tower, own.task, config, own.config.reader.location_bins)
        rows = np.flatnonzero(fold_of != fold)
        with tempfile.TemporaryDirectory() as out:
            train_localizer(localizer, [Part(cases, rows)], config, Path(out), steps=config.steps)
        held_out = np.flatnonzero(fold_of == fold).tolist()
        seen += score(localizer, cases, held_out, groups_of(records))
    squares = load_images(folder, records[:TIMED], size).squares
    seconds = []
    for square in squares:
        start = time.perf_counter()
        localizer.find([square])
        seconds.append(time.perf_counter() - start)
    return {"ms_per_case": 1000 * float(np.median(seconds)), "steps": config.steps, "images": seen}


def main() -> int:
    """Do what is not done yet, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/resolution"))
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    work = open_run(chosen.run, chosen.data)
    jobs: dict[tuple[int, int], Any] = {}
    for size in chosen.sizes:
        sized: SizedCases | None = None
        for stride in STRIDES:
            file = chosen.out / f"{size}-{stride}-{'-'.join(map(str, chosen.folds))}.json"
            if not file.is_file():
                sized = sized or SizedCases(work, size)
                file.write_text(json.dumps(job(sized, stride, chosen.folds, chosen.data)))
                sys.stdout.write(f"{file.stem}\n")
                sys.stdout.flush()
            jobs[size, stride] = json.loads(file.read_text())
    made = [
        {"size": size, "stride": stride, **each} for (size, stride), each in sorted(jobs.items())
    ]
    publish("resolution", {"folds": chosen.folds, "jobs": made}, measured_on(chosen.run))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
