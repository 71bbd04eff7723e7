"""What a reader is asked to say of an image, and what an answer of its own says.

Source: UMed-LVLM, arXiv:2501.01377: a response names the abnormality and where it is; the wording
is not told there. Ours: the name first, then the box in the family's own words, so that what is
named can be rewarded where the box cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.models.reader.vlm.boxes import NO_BOX, parse_boxes, write_box
from jomed_app.models.reader.vlm.families import Family
from jomed_app.objectives.umed.rewards import Statement

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, read.

    Attributes:
        statement: label and descriptors that it names; None where it names no label.
        named: where the label stands in the answer, in characters of a text or in tokens of ids;
            None where that is not known.
        boxes: on the unit square of the image; empty where it says that there is none, None where
            nothing can be read.
    """

    statement: Statement | None
    named: slice | None
    boxes: Sequence[Box] | None


def question_of(task: Task, family: Family) -> str:
    """What is asked: the diagnosis and, of a family that writes boxes, where the finding is."""
    if family.boxes is None or not task.has_boxes:
        return task.question
    return f"{task.question} {family.box_question.format(finding=task.finding)}"


def answer_of(task: Task, family: Family, label: str, box: Box | None, size: Size) -> str:
    """The answer that is true, as `read_answer` reads it.

    Args:
        task: of the label.
        family: that writes it.
        label: of the case.
        box: largest one of the case on the unit square; None where there is none.
        size: (height, width) of the image as the model saw it, px.
    """
    if family.boxes is None or not task.has_boxes or label in task.empty_labels:
        return label
    return f"{label}\n{write_box(box, family.boxes, size)}"


def read_answer(task: Task, family: Family, text: str, size: Size) -> Said:
    """Read an answer.

    Ours: the label that stands first counts. A label without a finding and nothing behind it says
    that there is no box.

    Args:
        task: whose labels and descriptors are looked for, as whole words in any case.
        family: whose boxes are looked for.
        text: as generated, without the end token.
        size: (height, width) of the image as the model saw it, px.
    """
    found = label_in(task, text)
    rest = text if found is None else text[found[1].stop :].lstrip(" \t\n.,:;")
    boxes: list[Box] | None = None
    if family.boxes is not None:
        is_empty = found is not None and found[0] in task.empty_labels and not rest
        boxes = parse_boxes(NO_BOX if is_empty else rest, family.boxes, size)
    if found is None:
        return Said(None, None, boxes)
    label, place = found
    return Said(Statement(label, descriptors_in(task, rest)), place, boxes)


def label_in(task: Task, text: str) -> tuple[str, slice] | None:
    """The label that stands first in a text, as a whole word in any case, and where it stands."""
    return _first(text, task.labels)


def descriptors_in(task: Task, text: str) -> dict[str, str]:
    """The value that a text names of every descriptor of which it names one."""
    found = {name: _first(text, values) for name, values in task.descriptors.items()}
    return {name: each[0] for name, each in found.items() if each is not None}


def _first(text: str, words: Sequence[str]) -> tuple[str, slice] | None:
    """The word or phrase that stands first in a text, the longer of two, and where it stands."""
    if not words:
        return None
    ordered = sorted(words, key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in ordered)
    match = re.search(pattern, text, re.IGNORECASE)
    if match is None:
        return None
    names: Mapping[str, str] = {word.casefold(): word for word in words}
    return names[match.group().casefold()], slice(*match.span())
