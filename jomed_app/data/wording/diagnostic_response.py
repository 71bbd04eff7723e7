"""Stepwise diagnostic responses: detect, locate, recognize, conclude, in fixed words.

Source: arXiv:2501.01377 (UMed-LVLM), construction of the MAU set: a response goes from detecting
to locating to recognizing before it names the diagnosis, and carries the abnormal regions.
Ours: templates stand in place of GPT-4V, so no image leaves the machine and a response says what
its case says and no more; a region is four location tokens in place of numbers.

    Detect: 2 lesions. Locate: <loc_10><loc_12><loc_40><loc_33>; <loc_50>... .
    Recognize: shape oval, margin indistinct. Conclude: benign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import box_text

STEPS = ("Detect:", "Locate:", "Recognize:", "Conclude:")
NOWHERE = "nowhere"
NOTHING = "nothing"
NOT_DESCRIBED = "not described"
BETWEEN_BOXES = "; "
BETWEEN_DESCRIPTORS = ", "


def diagnostic_query(task: Task) -> str:
    """Word the request for a stepwise response; the task's own question ends it."""
    return f"Detect, locate and recognize any {task.finding}, then conclude. {task.question}"


def diagnostic_response(
    task: Task,
    label: str,
    boxes: Sequence[Box],
    descriptors: Mapping[str, str] | None,
    num_bins: int,
) -> str:
    """Word what is known of a case as a stepwise response.

    Ours: all four steps are always there, so that a missing one is a fault of the model; a case
    without a finding is found nowhere. Descriptors that are not known are left out.

    Args:
        task: its labels, words for a finding and descriptors.
        label: class of the case.
        boxes: on the unit square, in any order, one or more; the largest is said first. None are
            said for a label without a finding.
        descriptors: descriptor -> value, said in the task's order; None when not known.
        num_bins: location bins per axis, >= 1.

    Returns:
        The response, without white space around it.

    Raises:
        ValueError: if the label or a descriptor is not the task's, or a finding has no box.
    """
    if label not in task.labels:
        raise ValueError(f"a label must be among {list(task.labels)}, found '{label}'")
    if label in task.empty_labels:
        said = (detection(task, 0), NOWHERE, NOTHING, label)
    elif not boxes:
        raise ValueError(
            f"a response that concludes '{label}' must have one box or more, found none; leave "
            "cases without a box out"
        )
    else:
        largest_first = sorted(boxes, key=lambda box: -box.area)
        places = BETWEEN_BOXES.join(box_text(box, num_bins) for box in largest_first)
        said = (detection(task, len(boxes)), places, _recognition(task, descriptors or {}), label)
    return " ".join(f"{step} {words}." for step, words in zip(STEPS, said, strict=True))


def detection(task: Task, count: int) -> str:
    """Word how many findings there are."""
    plural = "" if count == 1 else "s"
    return f"{count} {task.finding}{plural}" if count else f"no {task.finding}"


def _recognition(task: Task, descriptors: Mapping[str, str]) -> str:
    """Word the known descriptors in the task's order."""
    for name, value in descriptors.items():
        if value not in task.descriptors.get(name, ()):
            raise ValueError(
                f"a descriptor must be one of task '{task.name}' with one of its values, found "
                f"{name} '{value}'; add it to the task or leave it out"
            )
    known = [f"{name} {descriptors[name]}" for name in task.descriptors if name in descriptors]
    return BETWEEN_DESCRIPTORS.join(known) or NOT_DESCRIBED
