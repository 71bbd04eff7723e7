"""What was gathered of held-out cases, kept in a file: settings are fitted again without reading.

The names in the file are those of the first version, so that older readings can still be read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.errors import RecordError
from jomed_app.evaluation.held_out import HeldOutCase, Located
from jomed_app.inference.conclusion.evidence import Evidence, FloatArray, counting_alike
from jomed_app.storage.durable import write_file


def save_cases(path: Path, cases: Mapping[int, HeldOutCase]) -> None:
    """Write cases as JSON, by row of the case table."""
    lines = {str(row): _to_dict(case) for row, case in cases.items()}
    write_file(path, json.dumps(lines))


def load_cases(path: Path) -> dict[int, HeldOutCase]:
    """Read what `save_cases` wrote; what an older file does not hold counts as not read.

    Raises:
        RecordError: if the file is damaged.
    """
    try:
        stored = json.loads(path.read_bytes())
        return {int(row): _from_dict(each) for row, each in stored.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordError(
            f"readings of held-out cases must be whole, found '{path.name}' damaged; "
            "delete the file to read them again"
        ) from error


def _to_dict(case: HeldOutCase) -> dict[str, Any]:
    evidence, located = case.evidence, case.located
    return {
        "retrieved": _listed(evidence.candidates),
        "scores": _listed(evidence.scores),
        "is_text": _listed(evidence.is_text),
        "plain": _listed(evidence.alone),
        "neighbor_scores": _listed(evidence.neighbor_scores),
        "neighbor_labels": _listed(evidence.neighbor_labels),
        "class_prob": _listed(evidence.image) or [],
        "retrieved_labels": case.labels.tolist(),
        "candidates": list(case.candidate_ids),
        "backbone": case.backbone.tolist(),
        "drawn": None if case.drawn is None else _listed(case.drawn.candidates),
        "drawn_labels": case.drawn_labels.tolist(),
        "adversarial": None if case.adversarial is None else _listed(case.adversarial.candidates),
        "adversarial_labels": case.adversarial_labels.tolist(),
        "boxes": None if case.boxes is None else [box.as_tuple() for box in case.boxes],
        "located": [] if located is None or located.box is None else [located.box.as_tuple()],
        "presence": None if located is None else located.presence,
        "dense": None if located is None else located.dense,
        "heat_peak": None if located is None else located.heat_peak,
        "seconds": case.seconds,
    }


def _from_dict(stored: Mapping[str, Any]) -> HeldOutCase:
    alone = _floats(stored["plain"])
    said, drawn, misled = stored["boxes"], stored["drawn"], stored.get("adversarial")
    image = stored.get("class_prob") or []
    return HeldOutCase(
        evidence=Evidence(
            candidates=_floats(stored["retrieved"]),
            scores=_floats(stored["scores"]),
            is_text=np.array(stored["is_text"], dtype=np.bool_),
            alone=alone,
            neighbor_scores=_floats(stored["neighbor_scores"]),
            neighbor_labels=_labels(stored["neighbor_labels"]),
            image=_floats(image) if image else None,
            known=_labels(stored["retrieved_labels"]),
        ),
        labels=_labels(stored["retrieved_labels"]),
        backbone=_floats(stored["backbone"]),
        candidate_ids=tuple(stored.get("candidates", ())),
        drawn=None if drawn is None else counting_alike(drawn, alone),
        drawn_labels=_labels(stored["drawn_labels"]),
        adversarial=None if misled is None else counting_alike(misled, alone),
        adversarial_labels=_labels(stored.get("adversarial_labels", [])),
        boxes=None if said is None else tuple(Box(*corners) for corners in said),
        located=_located(stored),
        seconds=stored["seconds"],
    )


def _located(stored: Mapping[str, Any]) -> Located | None:
    if stored.get("presence") is None:
        return None
    boxes, peak = stored.get("located") or [], stored.get("heat_peak")
    return Located(
        box=Box(*boxes[0]) if boxes else None,
        presence=float(stored["presence"]),
        dense=float(stored.get("dense", 0.0)),
        heat_peak=(float(peak[0]), float(peak[1])) if peak else None,
    )


def _listed(values: NDArray[Any] | None) -> Any:
    return None if values is None else values.tolist()


def _floats(values: list[Any]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _labels(values: list[int]) -> NDArray[np.intp]:
    return np.array(values, dtype=np.intp)
