"""What was read of the cases, kept in a file: settings are fitted again without reading again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.evaluation.systems import RawCase


def save_raw(path: Path, raw: Mapping[int, RawCase]) -> None:
    """Write what was read as JSON, so that settings can be fitted again without reading."""
    lines = {
        str(row): {
            "retrieved": each.retrieved.tolist(),
            "drawn": each.drawn.tolist(),
            "plain": each.plain.tolist(),
            "backbone": each.backbone.tolist(),
            "retrieved_labels": each.retrieved_labels.tolist(),
            "drawn_labels": each.drawn_labels.tolist(),
            "neighbor_labels": each.neighbor_labels.tolist(),
            "neighbor_scores": each.neighbor_scores.tolist(),
            "scores": each.scores.tolist(),
            "is_text": each.is_text.tolist(),
            "boxes": None if each.boxes is None else [box.as_tuple() for box in each.boxes],
            "seconds": each.seconds,
            "located": [box.as_tuple() for box in each.located],
            "presence": each.presence,
            "dense": each.dense,
            "class_prob": list(each.class_prob),
            "heat_peak": each.heat_peak,
            "adversarial": None if each.adversarial is None else each.adversarial.tolist(),
            "adversarial_labels": each.adversarial_labels.tolist(),
        }
        for row, each in raw.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(lines), encoding="utf-8")


def load_raw(path: Path) -> dict[int, RawCase]:
    """Read what `save_raw` wrote; what an older file does not hold counts as not read."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for row, each in stored.items():
        said, misled = each["boxes"], each.get("adversarial")
        found[int(row)] = RawCase(
            retrieved=_floats(each["retrieved"]),
            drawn=_floats(each["drawn"]),
            plain=_floats(each["plain"]),
            backbone=_floats(each["backbone"]),
            retrieved_labels=_labels(each["retrieved_labels"]),
            drawn_labels=_labels(each["drawn_labels"]),
            neighbor_labels=_labels(each["neighbor_labels"]),
            neighbor_scores=_floats(each["neighbor_scores"]),
            scores=_floats(each["scores"]),
            is_text=np.array(each["is_text"], dtype=np.bool_),
            boxes=None if said is None else tuple(Box(*corners) for corners in said),
            seconds=each["seconds"],
            located=tuple(Box(*corners) for corners in each.get("located", ())),
            presence=float(each.get("presence", 0.0)),
            dense=float(each.get("dense", 0.0)),
            class_prob=tuple(each.get("class_prob", ())),
            heat_peak=tuple(each["heat_peak"]) if each.get("heat_peak") else None,
            adversarial=None if misled is None else _floats(misled),
            adversarial_labels=_labels(each.get("adversarial_labels", [])),
        )
    return found


def _floats(values: list[Any]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _labels(values: list[int]) -> NDArray[np.intp]:
    return np.array(values, dtype=np.intp)
