"""How well lesions are found: `python -m benchmarks.experiments.localise.run RUN --data DIR`.

Every fold's held-out BUSI images, seen by the localizer that was trained on the other folds: after
stage 1, after tuning with rewards where the run has it, the dense head on the same tower as the
specialist detector, and a box around the whole image. Kvasir-SEG's own validation split beside it,
where a run of the task `polyp` is named; without one, what was measured earlier stays. Writes
docs/results/localise.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import RESULTS
from benchmarks.experiments.localise.deletion import (
    deletion_scores,
    equal_box_elsewhere,
    paint_over,
)
from benchmarks.experiments.localise.report import REWARDED, earlier_polyps
from benchmarks.experiments.runs import measured_on, open_run
from benchmarks.kept import KeptReports
from benchmarks.write_results import publish
from jomed_app.boxes import Box
from jomed_app.data.corpus import assign_folds, load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task, load_task
from jomed_app.evaluation.fit.boxes import FALSE_PER_NORMAL, threshold_for_normals
from jomed_app.evaluation.metrics.boxes import (
    accuracy_by_iou,
    lesion_ious,
    localization_scores,
)
from jomed_app.evaluation.metrics.froc import froc_curve, froc_score, mark_true_boxes
from jomed_app.evaluation.metrics.intervals import bootstrap_interval, paired_bootstrap
from jomed_app.evaluation.metrics.pointing import pointing_scores
from jomed_app.imaging import read_image
from jomed_app.models.localizer.detection import Detection, heat_in_image
from jomed_app.models.localizer.localizer import Localizer, load_localizer
from jomed_app.models.pixels import Letterbox, letterbox

STAGE_1, SPECIALIST, WHOLE = "stage 1", "dense head", "whole image"


@dataclass(frozen=True, slots=True)
class Look:
    """One localizer's look at one held-out image.

    Attributes:
        record: the case; fold: held out.
        found: what the localizer says; place: of the image in its square.
        seconds: wall-clock of the look.
    """

    record: CaseRecord
    fold: int
    found: Detection
    place: Letterbox
    image: NDArray[np.uint8]
    seconds: float

    @property
    def reference(self) -> list[Box]:
        """True boxes, px."""
        return self.record.box_list

    def boxes(self, system: str) -> tuple[Box, ...]:
        """The one box that a system draws, px; none where it lies outside the image."""
        if system == WHOLE:
            return (Box(0, 0, self.place.columns, self.place.rows),)
        unit = self.found.boxes[0] if system == SPECIALIST else self.found.box
        box = self.place.to_image(unit)
        return (box,) if box else ()

    def score(self, system: str) -> float:
        """How sure the system is of it, in [0, 1]."""
        if system == WHOLE:
            return 1.0
        return self.found.scores[0] if system == SPECIALIST else self.found.presence


def look_at(
    localizer: Localizer, folder: Path, records: Sequence[CaseRecord], fold: int
) -> list[Look]:
    """Look at held-out images."""
    looks = []
    for record in records:
        image = read_image(folder / record.image, region=None).model_input
        side = localizer.config.image_size
        start = time.perf_counter()
        found = localizer.find([letterbox(image, side)])[0]
        seconds = time.perf_counter() - start
        place = Letterbox(image.shape[0], image.shape[1], side)
        looks.append(Look(record, fold, found, place, image, seconds))
    return looks


def thresholds_of(looks: Sequence[Look], system: str) -> dict[int, float]:
    """Per fold the score from which on few enough boxes are drawn, fitted on the other folds."""
    found = {}
    for fold in {look.fold for look in looks}:
        others = [look for look in looks if look.fold != fold]
        scores = [look.score(system) for look in others]
        found[fold] = threshold_for_normals(scores, [not look.reference for look in others])
    return found


def figures(looks: Sequence[Look], system: str) -> dict[str, Any]:
    """Figures of one system on all looks."""
    shown = [look.boxes(system) for look in looks]
    reference = [look.reference for look in looks]
    every = localization_scores(shown, reference)
    limits = thresholds_of(looks, system)
    gated = [
        boxes if look.score(system) >= limits[look.fold] else ()
        for look, boxes in zip(looks, shown, strict=True)
    ]
    kept = localization_scores(gated, reference)
    scores = [[look.score(system)] * len(boxes) for look, boxes in zip(looks, shown, strict=True)]
    curve = froc_curve(mark_true_boxes(shown, scores, reference))
    groups = [look.record.group or look.record.case_id for look in looks]

    def mean_iou(index: NDArray[np.intp]) -> float:
        return localization_scores(
            [shown[i] for i in index], [reference[i] for i in index]
        ).mean_iou

    interval = bootstrap_interval(mean_iou, groups, np.random.default_rng(0), num_resamples=500)
    return {
        "every": asdict(every),
        "mean_iou_ci": (interval.low, interval.high),
        "at_threshold": asdict(kept),
        "froc": froc_score(curve),
        "curve": {
            "false_per_image": curve.false_per_image.tolist(),
            "sensitivity": curve.sensitivity.tolist(),
        },
    }


def difference(first: Sequence[Look], second: Sequence[Look], systems: tuple[str, str]) -> Any:
    """Mean IoU and IoU >= 0.5 of one system minus another on the same images, paired."""
    groups = [look.record.group or look.record.case_id for look in first]
    rows = [
        [lesion_ious(look.boxes(system), look.reference) for look in looks]
        for looks, system in ((first, systems[0]), (second, systems[1]))
    ]

    def mean_of(own: list[NDArray[np.float64]], cut: float | None) -> Any:
        def metric(index: NDArray[np.intp]) -> float:
            ious = np.concatenate([own[i] for i in index])
            return float((ious if cut is None else ious >= cut).mean())

        return metric

    return {
        name: asdict(
            paired_bootstrap(
                mean_of(rows[0], cut), mean_of(rows[1], cut), groups, np.random.default_rng(0)
            )
        )
        for name, cut in (("mean_iou", None), ("iou50", 0.5))
    }


def beyond_boxes(looks: Sequence[Look], localizers: Mapping[int, Localizer], task: Task) -> Any:
    """Pointing game, accuracy by IoU, and the deletion test of the class query."""
    lesions = [look for look in looks if look.reference]
    heats = [heat_in_image(look.found.attention, look.place).numpy() for look in lesions]
    unit = [
        [
            Box(box.x0 / columns, box.y0 / rows, box.x1 / columns, box.y1 / rows)
            for columns, rows in [(look.place.columns, look.place.rows)]
            for box in look.reference
        ]
        for look in lesions
    ]
    answers = [int(look.found.class_prob.argmax()) for look in lesions]
    right = [
        task.labels[each] == look.record.label for each, look in zip(answers, lesions, strict=True)
    ]
    ious = [float(lesion_ious(look.boxes(STAGE_1), look.reference)[0]) for look in lesions]
    rng, said_of = np.random.default_rng(0), []
    for look, answer in zip(lesions, answers, strict=True):
        height, width = look.image.shape[:2]
        other = equal_box_elsewhere(look.reference[0], look.reference, width, height, rng)
        if other is None:
            continue
        localizer = localizers[look.fold]
        side = localizer.config.image_size
        without = [
            letterbox(paint_over(look.image, box), side) for box in (look.reference[0], other)
        ]
        said = [float(found.class_prob[answer]) for found in localizer.find(without)]
        said_of.append((float(look.found.class_prob[answer]), *said))
    whole = [int(look.found.class_prob.argmax()) for look in looks]
    return {
        "pointing": asdict(pointing_scores(heats, unit)),
        "accuracy_by_iou": [asdict(each) for each in accuracy_by_iou(ious, right)],
        "deletion": asdict(deletion_scores(*np.array(said_of).T)),
        "accuracy": float(
            np.mean(
                [task.labels[c] == look.record.label for c, look in zip(whole, looks, strict=True)]
            )
        ),
        "ms_per_case": 1000 * float(np.median([look.seconds for look in looks])),
    }


def measure(run: Path, data: Path) -> dict[str, Any]:
    """All folds of a run."""
    work = open_run(run)
    config = work.config
    folder, records = load_corpus(work.task, data, ("train", "val"))
    folds = assign_folds(records, config.train_reader.folds, config.train_reader.fold_seed)
    looks: dict[str, list[Look]] = {STAGE_1: [], REWARDED: []}
    localizers: dict[str, dict[int, Localizer]] = {STAGE_1: {}, REWARDED: {}}
    for fold in range(config.train_reader.folds):
        held_out = [records[row] for row in np.flatnonzero(folds == fold)]
        name = work.fold_name(fold)
        for stage, place in ((STAGE_1, work.localizer(name)), (REWARDED, work.tuned(name))):
            if (place / "config.json").is_file():
                localizers[stage][fold] = load_localizer(place)
                looks[stage] += look_at(localizers[stage][fold], folder, held_out, fold)
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
    first, tuned = looks[STAGE_1], looks[REWARDED]
    found: dict[str, Any] = {
        "images": len(first),
        "systems": {name: figures(first, name) for name in (WHOLE, SPECIALIST, STAGE_1)},
        "differences": {
            f"{STAGE_1} - {SPECIALIST}": difference(first, first, (STAGE_1, SPECIALIST))
        },
        "beyond": {STAGE_1: beyond_boxes(first, localizers[STAGE_1], work.task)},
    }
    if tuned:
        folds_tuned = {look.fold for look in tuned}
        same = [look for look in first if look.fold in folds_tuned]
        found["tuned_images"] = len(tuned)
        if len(same) < len(first):
            found["systems"][f"{STAGE_1}, same images"] = figures(same, STAGE_1)
        found["systems"][REWARDED] = figures(tuned, REWARDED)
        found["differences"][f"{REWARDED} - {STAGE_1}"] = difference(
            tuned, same, (REWARDED, STAGE_1)
        )
        found["beyond"][REWARDED] = beyond_boxes(tuned, localizers[REWARDED], work.task)
    return found


def measure_polyps(run: Path, data: Path) -> dict[str, Any]:
    """Kvasir-SEG's validation split, one localizer per seed."""
    folder, records = load_corpus(load_task("polyp"), data, ("val",))
    found = {}
    for place in sorted((run / "localizer").glob("seed*")):
        looks = look_at(load_localizer(place), folder, records, 0)
        found[place.name] = {name: figures(looks, name) for name in (WHOLE, SPECIALIST, STAGE_1)}
    return found


def main() -> int:
    """Measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--polyp", type=Path)
    chosen = parser.parse_args()
    values: dict[str, Any] = {
        "false_per_normal": FALSE_PER_NORMAL,
        "busi": measure(chosen.run, chosen.data),
    }
    if chosen.polyp:
        values["polyp"] = measure_polyps(chosen.polyp, chosen.data)
        KeptReports(RESULTS).record("localise.polyp", measured_on(chosen.polyp))
    else:
        values |= earlier_polyps(KeptReports(RESULTS).load("localise"))
    publish("localise", values, measured_on(chosen.run))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
