"""A text for the report, from one result and the task's own words, to be edited and copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.data.tasks.report_words import ReportWords
from jomed_app.export.words import DISCLAIMER
from jomed_app.types import Result

LEAST_SURE = 0.5  # ours: a value must be likelier than all others together
NOT_ASSESSED = "not assessed"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the reader chose; nothing of it is ever guessed.

    Attributes:
        side, hour: of the finding; empty where not chosen.
        category: of the task's scale; empty where not chosen.
    """

    side: str = ""
    hour: str = ""
    category: str = ""


def report_lines(
    words: ReportWords,
    result: Result,
    *,
    finding: str,
    box_threshold: float,
    chosen: Chosen | None = None,
) -> list[str]:
    """Return the text, line by line.

    Args:
        words: of the task.
        result: what was found.
        finding: what a box encloses, such as lesion.
        box_threshold: a box counts from this score on, in [0, 1].
        chosen: by the reader; a choice that the task does not offer counts as none.
    """
    chosen = chosen or Chosen()
    lines = [f"{words.title}."]
    if words.place:
        lines.append(_place(words, chosen))
    lines += _findings(words, result.findings, finding)
    size = _size(result, box_threshold)
    if size:
        lines.append(size)
    if words.scale:
        lines.append(_category(words, result, chosen))
    return [*lines, DISCLAIMER]


def _place(words: ReportWords, chosen: Chosen) -> str:
    hours = [str(hour) for hour in range(1, words.hours + 1)]
    side = chosen.side if chosen.side in words.sides else "side not stated"
    hour = chosen.hour if chosen.hour in hours else ""
    place = words.place.format(side=side, hour=hour or "?")
    if not hour and side == chosen.side:
        return f"Location: {side.lower()}, clock not stated."
    return f"Location: {place.lower()}." if hour else "Location: not stated."


def _findings(
    words: ReportWords, findings: Mapping[str, Mapping[str, float]], finding: str
) -> list[str]:
    """One line a descriptor; what is not surer than all else together is not assessed."""
    if not findings:
        return [f"No {finding} described."]
    lines = [f"{finding.capitalize()}."]
    for name, said in words.descriptors.items():
        values = findings.get(name, {})
        best = max(values, key=lambda value: values[value], default="")
        is_sure = bool(best) and values[best] > LEAST_SURE
        lines.append(f"{said.title}: {said.words.get(best, best) if is_sure else NOT_ASSESSED}.")
    return lines


def _size(result: Result, box_threshold: float) -> str:
    """The size of the likeliest box in mm, where the file tells its spacing."""
    spacing = result.input.region.spacing_mm if result.input.region else None
    boxes = [each for each in result.boxes if each.score >= box_threshold]
    if not boxes:
        return ""
    if spacing is None:
        return "Size: not stated, since the image does not tell its scale."
    best = max(boxes, key=lambda each: each.score)
    across, deep = (best.x1 - best.x0) * spacing[1], (best.y1 - best.y0) * spacing[0]
    return f"Size: {across:.0f} x {deep:.0f} mm, of the box that the app drew."


def _category(words: ReportWords, result: Result, chosen: Chosen) -> str:
    """The reader's category, else the one that the app's own answer suggests."""
    if chosen.category in words.categories:
        return f"{words.scale}: {chosen.category}."
    suggested = suggested_category(words, result)
    if not suggested:
        return f"{words.scale}: {NOT_ASSESSED}."
    return f"{words.scale}: {suggested}, suggested by the app's answer, not by a reader."


def suggested_category(words: ReportWords, result: Result) -> str:
    """Return the category that an answer suggests; empty for none, or where it was moved."""
    answer = None if result.final.abstained or result.moved else result.final.prediction
    return words.suggested.get(answer or "", "")
