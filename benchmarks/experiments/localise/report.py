"""From what was measured to docs/results/localise.md and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jomed_app.evaluation.report.pages.markdown import fill, number, table, with_range
from jomed_app.evaluation.report.pages.pictures import LINES, new_figure, save

REWARDED = "rewards"
POLYP_IS_OLDER = "polyp_is_older"


def earlier_polyps(kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an earlier report holds on Kvasir-SEG, marked as such; nothing where there is none."""
    return {"polyp": kept["polyp"], POLYP_IS_OLDER: True} if kept and "polyp" in kept else {}


def page(values: Mapping[str, Any], measured: str) -> str:
    """Word what `run.measure` gives, and perhaps polyps beside it."""
    busi = values["busi"]
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        measured=measured,
        images=busi["images"],
        tuned_images=busi.get("tuned_images", 0),
        false_per_normal=values["false_per_normal"],
        rewarded=REWARDED,
        systems=_systems_table(busi["systems"]),
        differences=_differences_table(busi["differences"]),
        beyond=[_beyond(name, each) for name, each in busi["beyond"].items()],
        polyps=[
            (seed, _systems_table(systems)) for seed, systems in values.get("polyp", {}).items()
        ],
        is_older=bool(values.get(POLYP_IS_OLDER)),
    )


def draw(values: Mapping[str, Any], folder: Path) -> None:
    """Draw the share of lesions found against false boxes per image, as `localise-froc.svg`."""
    figure = new_figure(width=6.4, height=3.6)
    axes = figure.add_subplot()
    for (name, each), style in zip(values["busi"]["systems"].items(), cycle(LINES), strict=False):
        curve = each["curve"]
        axes.step(
            curve["false_per_image"], curve["sensitivity"], where="post", label=name, ls=style
        )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xlabel("false boxes per image")
    axes.set_ylabel("share of lesions found, IoU ≥ 0.5")
    axes.legend(fontsize="small")
    save(figure, folder / "localise-froc.svg")


def _systems_table(systems: Mapping[str, Any]) -> Markup:
    header = ["system", "mean IoU", "IoU ≥ 0.3", "IoU ≥ 0.5", "FROC"]
    header += ["IoU drawn", "IoU ≥ 0.5 drawn", "false per normal"]
    rows = [
        [
            name,
            with_range(each["every"]["mean_iou"], each["mean_iou_ci"]),
            number(each["every"]["iou30"]),
            number(each["every"]["iou50"]),
            number(each["froc"]),
            number(each["at_threshold"]["mean_iou"]),
            number(each["at_threshold"]["iou50"]),
            number(each["at_threshold"]["false_boxes_per_normal"]),
        ]
        for name, each in systems.items()
    ]
    return table(header, rows)


def _differences_table(differences: Mapping[str, Any]) -> Markup:
    rows = [
        [
            name,
            *(
                with_range(each[key]["value"], (each[key]["low"], each[key]["high"]), sign="+")
                for key in ("mean_iou", "iou50")
            ),
        ]
        for name, each in differences.items()
    ]
    return table(["difference", "mean IoU", "IoU ≥ 0.5"], rows)


def _beyond(name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    """What the template says of one localizer's class query."""
    bins = [
        [f"{one['low']:.1f} to {one['high']:.1f}", one["num_cases"], number(one["accuracy"])]
        for one in each["accuracy_by_iou"]
        if one["num_cases"]
    ]
    return {
        "name": name,
        "accuracy": number(each["accuracy"]),
        "hit_rate": number(each["pointing"]["hit_rate"]),
        "chance_rate": number(each["pointing"]["chance_rate"]),
        "mean_drop": number(each["deletion"]["mean_drop"]),
        "mean_drop_elsewhere": number(each["deletion"]["mean_drop_elsewhere"]),
        "num_deleted": each["deletion"]["num_cases"],
        "ms": number(each["ms_per_case"], 0),
        "by_iou": table(["IoU of the box", "cases", "accuracy"], bins) if bins else "",
    }
