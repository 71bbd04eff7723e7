"""Ways of tuning with rewards: boxes and classes before and after.

Run: python -m benchmarks.experiments.reward_options.run RUN --data DIR
Each file in the folder `options` tunes the queries of every fold's localizer from
the same start, and the fold's held-out images are looked at before and after. Several runs are
several seeds of the start; seeds of tuning take them in turn. A finished job is a file in `--out`,
and is not done again. Writes docs/results/rewards.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.experiments.reward_options.report import summarize
from benchmarks.experiments.runs import measured_on, open_run
from benchmarks.write_results import publish
from jomed_app.boxes import Box
from jomed_app.config.load import load_config
from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.data.corpus import load_corpus
from jomed_app.evaluation.metrics.boxes import lesion_ious
from jomed_app.models.localizer.localizer import Localizer, load_localizer
from jomed_app.training.localizer.kept_views import KeptCases
from jomed_app.training.localizer.stage import frozen_tower, keep_real
from jomed_app.training.rewards.merge import tune_localizer
from jomed_app.training.rewards.policy import ViewQueries, rewarded_rows, see_cases
from jomed_app.training.rewards.reward_responses import class_set
from jomed_app.training.run.workspace import groups_of

OPTIONS = Path(__file__).parent / "options"
START = "stage 1"
BATCH_SIZE = 16


@torch.inference_mode()
def look(
    localizer: Localizer, cases: KeptCases, rows: Sequence[int], groups: Sequence[str]
) -> list[dict[str, Any]]:
    """What the localizer shows of held-out images: IoU of every lesion, and of its class."""
    seen = []
    for start in range(0, len(rows), BATCH_SIZE):
        part = list(rows[start : start + BATCH_SIZE])
        said = localizer.find_in_maps(cases.maps[0, part].float())
        for row, found in zip(part, said, strict=True):
            known = cases.boxes[0, row]
            true = [Box(*each) for each in known[~known.isnan().any(-1)].tolist()]
            ious = lesion_ious([found.box], true) if true else np.zeros(0)
            seen.append(
                {
                    "row": int(row),
                    "group": groups[row],
                    "right": int(found.class_prob.argmax()) == int(cases.labels[row]),
                    "label_prob": round(float(found.class_prob[cases.labels[row]]), 6),
                    "ious": [round(float(each), 5) for each in ious],
                }
            )
    return seen


class Folds:
    """A run's localizers and the cases they were trained and held out on."""

    def __init__(self, run: Path, data: Path) -> None:
        self.work = open_run(run, data)
        self.cases, self.folds = keep_real(self.work, frozen_tower(self.work))
        self.groups = groups_of(load_corpus(self.work.task, data, ("train", "val"))[1])
        self.classes = class_set(self.work.task.labels, self.work.task.empty_labels)

    def localizer(self, fold: int) -> Localizer:
        """As stage 1 left it."""
        return load_localizer(self.work.localizer(self.work.fold_name(fold)))

    def held_out(self, fold: int) -> list[int]:
        """Rows of a fold."""
        rows: list[int] = np.flatnonzero(self.folds == fold).tolist()
        return rows

    def tuned(
        self, fold: int, seen: KeptCases, settings: RewardTuningConfig, policies: Path
    ) -> Localizer:
        """A localizer tuned on the other folds.

        Options that differ only in how policies are merged share them: what was tuned before, by
        the same settings from the same seed, is read from the folder `policies`.
        """
        localizer = self.localizer(fold)
        rows = rewarded_rows(seen, np.flatnonzero(self.folds != fold), self.classes.empty)
        folder = policies / f"{self.work.root.name}-fold{fold}-{settings_digest(settings)}"
        queries = ViewQueries(seen, rows)
        tune_localizer(localizer, queries, self.classes, settings, folder, resume=True)
        return localizer


def settings_digest(settings: RewardTuningConfig) -> str:
    """Names what one policy is tuned by, its seed apart."""
    alone = settings.replaced(policies=1, start_share=0.0, seed=0, ship=False)
    return hashlib.sha256(json.dumps(alone.model_dump(), sort_keys=True).encode()).hexdigest()[:10]


def main() -> int:
    """Do what is not done yet, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/reward_options"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[], help="options by name; all without")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    names = sorted(path.stem for path in OPTIONS.glob("*.toml"))
    wanted = [name for name in names if not chosen.only or name in chosen.only]
    for number, run in enumerate(chosen.runs):
        seeds = range(number, chosen.seeds, len(chosen.runs))
        do_run(Folds(run, chosen.data), number, [(n, s) for s in seeds for n in wanted], chosen.out)
    publish("rewards", summarize(chosen.out, START), measured_on(*chosen.runs))
    return 0


def do_run(folds: Folds, number: int, jobs: Sequence[tuple[str, int]], out: Path) -> None:
    """Do an option's seeds that start from one run, and look at the start itself."""
    for fold in range(folds.work.config.train_reader.folds):
        files = {job: out / f"{job[0]}-{job[1]}-{fold}.json" for job in jobs}
        first = out / f"{START}-{number}-{fold}.json"
        if all(file.is_file() for file in (*files.values(), first)):
            continue
        held_out, start = folds.held_out(fold), folds.localizer(fold)
        first.write_text(json.dumps(look(start, folds.cases, held_out, folds.groups)))
        seen = see_cases(start, folds.cases)
        for (name, seed), file in files.items():
            if file.is_file():
                continue
            settings = load_config(OPTIONS / f"{name}.toml").train_rewards
            own = settings.replaced(seed=seed * settings.policies)  # no two seeds share a policy
            tuned = folds.tuned(fold, seen, own, out / "policies")
            file.write_text(json.dumps(look(tuned, folds.cases, held_out, folds.groups)))
            sys.stdout.write(f"{file.stem}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
