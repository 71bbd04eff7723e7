"""Claims about boxes and about tuning with rewards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.claims.rows import Evaluated, Row, Source, line
from benchmarks.experiments.localise.report import REWARDED
from benchmarks.experiments.resolution.report import mean_iou
from benchmarks.kept import KeptReports

PAGE = "localise.md"
STAGE_1, SPECIALIST, WHOLE = "stage 1", "dense head", "whole image"
TOLD = "greatest expected IoU"  # what the app draws


def boxes(kept: KeptReports) -> list[Row]:
    """How well lesions are found."""
    values = kept.load("localise")
    rows = [] if values is None else _localised(values)
    plain = Evaluated(kept, "breast.report", "breast.md#plain")
    return [
        *rows,
        *plain.row("BUSI, boxes of the whole app, mean IoU", "rag", "reader", "mean_iou"),
        *plain.row("BUSI, boxes of the whole app, mean IoU", "joint", "rag", "mean_iou"),
        *_resolution(kept),
    ]


def rewards(kept: KeptReports) -> list[Row]:
    """What tuning with rewards brings to a localizer."""
    rows = []
    values = kept.load("localise")
    if values is not None and REWARDED in values["busi"]["systems"]:
        busi = values["busi"]
        source = Source("localise", PAGE, f"{busi['tuned_images']} images")
        for key, what in (("mean_iou", "the recipe, mean IoU"), ("iou50", "the recipe, IoU ≥ 0.5")):
            rows.append(_compared(source, busi, REWARDED, STAGE_1, key, what))
    options = kept.load("rewards")
    if options is None:
        return rows
    source = Source("rewards", "rewards.md", f"{options['images']} images")
    start = options["options"][options["start"]]
    for name, option in options["options"].items():
        if name == options["start"]:
            continue
        for key, what in (("mean_iou", "mean IoU"), ("nll", "NLL of the class query, nats")):
            found = option["differences"][key]
            rows.append(
                line(
                    source,
                    f"option `{name}`, {what}",
                    option[key],
                    start[key],
                    f"`{options['start']}`",
                    difference=found["value"],
                    difference_interval=(found["low"], found["high"]),
                    lower_is_better=key == "nll",
                )
            )
    return rows


def _localised(values: Mapping[str, Any]) -> list[Row]:
    busi = values["busi"]
    systems = busi["systems"]
    num_lesions = systems[STAGE_1]["every"]["num_lesions"]
    source = Source("localise", PAGE, f"{num_lesions} lesions")
    first, other, whole = (systems[name] for name in (STAGE_1, SPECIALIST, WHOLE))
    beyond = busi["beyond"][STAGE_1]
    deleted = beyond["deletion"]
    rows = [
        _compared(source, busi, STAGE_1, SPECIALIST, "mean_iou", "BUSI, mean IoU").headline(),
        _compared(source, busi, STAGE_1, SPECIALIST, "iou50", "BUSI, IoU ≥ 0.5"),
        line(
            source,
            f"BUSI, mean IoU: `{STAGE_1}`",
            first["every"]["mean_iou"],
            whole["every"]["mean_iou"],
            f"`{WHOLE}`",
            interval=first["mean_iou_ci"],
        ),
        line(
            source,
            f"BUSI, mean IoU with boxes above a threshold alone: `{STAGE_1}`",
            first["at_threshold"]["mean_iou"],
            other["at_threshold"]["mean_iou"],
            f"`{SPECIALIST}`",
        ),
        line(
            Source("localise", PAGE, f"{first['at_threshold']['num_normal']} normal images"),
            f"BUSI, false boxes per normal image: `{STAGE_1}`",
            first["at_threshold"]["false_boxes_per_normal"],
            other["at_threshold"]["false_boxes_per_normal"],
            f"`{SPECIALIST}`",
            lower_is_better=True,
        ),
        line(
            Source("localise", PAGE, f"{beyond['pointing']['num_cases']} cases"),
            f"BUSI, pointing game: `{STAGE_1}`",
            beyond["pointing"]["hit_rate"],
            beyond["pointing"]["chance_rate"],
            "by chance",
        ),
        line(
            Source("localise", PAGE, f"{deleted['num_cases']} cases"),
            f"BUSI, fall of the answer's probability without the lesion: `{STAGE_1}`",
            deleted["mean_drop"],
            deleted["mean_drop_elsewhere"],
            "an equal box elsewhere",
        ),
    ]
    for seed, polyps in values.get("polyp", {}).items():
        one = polyps[STAGE_1]
        rows.append(
            line(
                Source(
                    "localise",
                    PAGE,
                    f"{one['every']['num_lesions']} lesions",
                    "localise.polyp",
                ),
                f"Kvasir-SEG, {seed}, mean IoU: `{STAGE_1}`",
                one["every"]["mean_iou"],
                polyps[SPECIALIST]["every"]["mean_iou"],
                f"`{SPECIALIST}`",
                interval=one["mean_iou_ci"],
            )
        )
    return rows


def _compared(
    source: Source, busi: Mapping[str, Any], first: str, second: str, key: str, what: str
) -> Row:
    """Two systems with their difference on the same images."""
    found = busi["differences"][f"{first} - {second}"][key]
    return line(
        source,
        f"{what}: `{first}`",
        busi["systems"][first]["every"][key],
        busi["systems"][second]["every"][key],
        f"`{second}`",
        interval=busi["systems"][first]["mean_iou_ci"] if key == "mean_iou" else None,
        difference=found["value"],
        difference_interval=(found["low"], found["high"]),
    )


def _resolution(kept: KeptReports) -> list[Row]:
    """The finest grid and largest input beside the coarsest and smallest."""
    values = kept.load("resolution")
    if values is None:
        return []
    jobs = sorted(values["jobs"], key=lambda job: (job["size"], -int(job["stride"])))
    small, large = jobs[0], jobs[-1]
    found, base = (mean_iou(job["images"], TOLD) for job in (large, small))
    lesions = sum(len(image["ious"][TOLD]) for image in large["images"])
    return [
        line(
            Source("resolution", "resolution.md", f"{lesions} lesions"),
            f"BUSI, one fold, mean IoU at {large['size']} px, stride {large['stride']}",
            found.value,
            base.value,
            f"{small['size']} px, stride {small['stride']}",
            interval=(found.low, found.high),
        )
    ]
