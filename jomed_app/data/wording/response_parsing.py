"""Answers of a model -> class, boxes and descriptors; or why they cannot be read.

Strict: what is not exactly the stepwise response or the short answer is a failure with a reason,
since a lenient reader hides what a model has not learned. Model output never raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import bins_box
from jomed_app.data.wording.diagnostic_response import (
    BETWEEN_BOXES,
    BETWEEN_DESCRIPTORS,
    NOT_DESCRIBED,
    NOTHING,
    NOWHERE,
    STEPS,
    detection,
)
from jomed_app.data.wording.prompts import location_tokens

_TOKEN = re.compile(r"<loc_[0-9]+>")
_LEADING_TOKENS = re.compile(r"\A(?:<loc_[0-9]+>)+")
_COUNT = re.compile(r"[1-9][0-9]{0,3}")


class FailureReason(StrEnum):
    """Why an answer could not be read."""

    MISSING_STEP = "missing step"
    MALFORMED = "malformed"
    TOKEN_COUNT = "wrong number of location tokens"
    UNKNOWN_TOKEN = "unknown location token"
    INVERTED_BOX = "inverted box"
    UNKNOWN_CLASS = "unknown class"
    UNKNOWN_DESCRIPTOR = "unknown descriptor"
    CONTRADICTION = "contradiction"
    TRAILING_TEXT = "trailing text"


@dataclass(frozen=True, slots=True)
class ParsedResponse:
    """What an answer says.

    Attributes:
        label: one of the task's.
        boxes: on the unit square, in the order in which they were said.
        descriptors: descriptor -> value, those that were said.
    """

    label: str
    boxes: tuple[Box, ...]
    descriptors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why an answer could not be read.

    Attributes:
        reason: the kind of fault; the first one met counts.
        detail: what was required and what was found.
    """

    reason: FailureReason
    detail: str


class _FaultError(Exception):
    """Carries a failure out of the steps below; never leaves this module."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.failure = ParseFailure(reason, detail)


def parse_response(text: str, task: Task, num_bins: int) -> ParsedResponse | ParseFailure:
    """Read a stepwise response or a short answer (`answers.answer_text`).

    White space around the text is no fault; anything else that a template does not say is.

    Args:
        text: what a model wrote, decoded with its location tokens (which `skip_special_tokens`
            would drop) and without the token that ends it.
        task: whose labels and descriptors count.
        num_bins: location bins per axis, >= 1.

    Returns:
        What the answer says, or why it could not be read; model output never raises.
    """
    said = text.strip()
    try:
        if any(step in said for step in STEPS):
            return _parse_steps(said, task, num_bins)
        return _parse_short(said, task, num_bins)
    except _FaultError as fault:
        return fault.failure


def parse_rate(parsed: Sequence[ParsedResponse | ParseFailure]) -> float:
    """Return the share of answers that could be read, in [0, 1].

    Raises:
        ValueError: if there is no answer.
    """
    if not parsed:
        raise ValueError("a parse rate requires one answer or more, found none; answer a case")
    return sum(isinstance(each, ParsedResponse) for each in parsed) / len(parsed)


def _parse_steps(text: str, task: Task, num_bins: int) -> ParsedResponse:
    """Read the four steps."""
    detected, located, recognized, concluded = _split_steps(text)
    label = _conclusion(concluded, task)
    count = _count(detected, task)
    boxes = () if located == NOWHERE else _boxes(located.split(BETWEEN_BOXES), num_bins)
    if len(boxes) != count:
        raise _FaultError(
            FailureReason.CONTRADICTION, f"{count} detected, but {len(boxes)} boxes located"
        )
    _check_emptiness(label, count, task)
    if count == 0:
        if recognized != NOTHING:
            raise _FaultError(
                FailureReason.CONTRADICTION, f"nothing to recognize, but found '{recognized}'"
            )
        return ParsedResponse(label, (), {})
    return ParsedResponse(label, boxes, _named_descriptors(recognized, task))


def _split_steps(text: str) -> list[str]:
    """What each step says, without its closing stop; the last with all that follows it."""
    for step in STEPS:
        if step not in text:
            raise _FaultError(FailureReason.MISSING_STEP, f"'{step}' is required, found none")
    first, second, third, fourth = (re.escape(step) for step in STEPS)
    form = rf"{first} (.*?)\. {second} (.*?)\. {third} (.*?)\. {fourth} (.*)"
    match = re.fullmatch(form, text, re.DOTALL)
    if match is None:
        raise _FaultError(
            FailureReason.MALFORMED, f"steps must be {' '.join(STEPS)}, each ended by a full stop"
        )
    return list(match.groups())


def _conclusion(said: str, task: Task) -> str:
    """The class that the last step names."""
    label, rest = _begins_with_label(said, task, r"(?=\.|$)")
    if not rest:
        raise _FaultError(FailureReason.MALFORMED, "the class must be ended by a full stop")
    if rest != ".":
        raise _FaultError(FailureReason.TRAILING_TEXT, f"nothing may follow the class, {rest!r}")
    return label


def _begins_with_label(said: str, task: Task, border: str) -> tuple[str, str]:
    """The label at the start, the longest that fits before a border, and the rest."""
    match = re.match(_one_of(task.labels) + border, said)
    if match is None:
        raise _FaultError(
            FailureReason.UNKNOWN_CLASS, f"must be one of {list(task.labels)}, found {said[:40]!r}"
        )
    return match.group(), said[match.end() :]


def _one_of(words: Sequence[str]) -> str:
    """Pattern of one of these words, longer ones first."""
    ordered = sorted(words, key=lambda word: -len(word))
    return "(?:" + "|".join(re.escape(word) for word in ordered) + ")"


def _count(detected: str, task: Task) -> int:
    """How many findings the first step says."""
    match = _COUNT.match(detected)
    count = int(match.group()) if match else 0
    if detected != detection(task, count):
        raise _FaultError(
            FailureReason.MALFORMED,
            f"'{STEPS[0]}' must say '{detection(task, 0)}' or how many, found {detected!r}",
        )
    return count


def _check_emptiness(label: str, count: int, task: Task) -> None:
    """A label without a finding goes with no box, any other with one or more."""
    if (label in task.empty_labels) != (count == 0):
        raise _FaultError(FailureReason.CONTRADICTION, f"'{label}' with {count} boxes")


def _boxes(parts: Sequence[str], num_bins: int) -> tuple[Box, ...]:
    """One box of each part, which holds location tokens and nothing else."""
    places = {token: index for index, token in enumerate(location_tokens(num_bins))}
    boxes = []
    for part in parts:
        tokens = _TOKEN.findall(part)
        if "".join(tokens) != part:
            raise _FaultError(
                FailureReason.MALFORMED, f"a box must be location tokens only, found {part!r}"
            )
        for token in tokens:
            if token not in places:
                raise _FaultError(
                    FailureReason.UNKNOWN_TOKEN,
                    f"there are {num_bins} location tokens, found '{token}'",
                )
        if len(tokens) != 4:
            raise _FaultError(
                FailureReason.TOKEN_COUNT, f"a box must have 4 location tokens, found {len(tokens)}"
            )
        box = bins_box([places[token] for token in tokens], num_bins)
        if box is None:
            raise _FaultError(FailureReason.INVERTED_BOX, f"must be x0 y0 x1 y1, found {part}")
        boxes.append(box)
    return tuple(boxes)


def _named_descriptors(said: str, task: Task) -> dict[str, str]:
    """Descriptors by name, in the task's order, some left out."""
    if said == NOT_DESCRIBED:
        return {}
    found: dict[str, str] = {}
    names = list(task.descriptors)
    for part in said.split(BETWEEN_DESCRIPTORS):
        fitting = [
            (name, value)
            for name, values in task.descriptors.items()
            for value in values
            if part == f"{name} {value}"
        ]
        if not fitting:
            raise _FaultError(
                FailureReason.UNKNOWN_DESCRIPTOR, f"must be a name and a value, found {part!r}"
            )
        name, value = fitting[0]
        if found and names.index(name) <= names.index(list(found)[-1]):
            raise _FaultError(
                FailureReason.MALFORMED, f"descriptors must be in the order {names}, found {said!r}"
            )
        found[name] = value
    return found


def _parse_short(text: str, task: Task, num_bins: int) -> ParsedResponse:
    """Read a label, four location tokens and the values of all descriptors."""
    label, rest = _begins_with_label(text, task, r"(?= |<|$)")
    tokens = "".join(_LEADING_TOKENS.findall(rest))
    after = rest[len(tokens) :]
    if label in task.empty_labels:
        if tokens:
            raise _FaultError(FailureReason.CONTRADICTION, f"'{label}' with a box")
        if after:
            raise _FaultError(FailureReason.TRAILING_TEXT, f"'{label}' stands alone, {after!r}")
        return ParsedResponse(label, (), {})
    if not tokens:
        raise _FaultError(FailureReason.MISSING_STEP, f"'{label}' requires a box, found {after!r}")
    boxes = _boxes([tokens], num_bins)
    return ParsedResponse(label, boxes, _ordered_descriptors(after, task))


def _ordered_descriptors(said: str, task: Task) -> dict[str, str]:
    """Values of all descriptors, in the task's order, without names."""
    forms = [f" ({_one_of(values)})" for values in task.descriptors.values()]
    if match := re.fullmatch("".join(forms), said):
        return dict(zip(task.descriptors, match.groups(), strict=True))
    if re.match("".join(forms), said):
        raise _FaultError(FailureReason.TRAILING_TEXT, f"nothing may follow, found {said!r}")
    for count, name in enumerate(task.descriptors):
        if re.fullmatch("".join(forms[:count]), said):
            raise _FaultError(FailureReason.MISSING_STEP, f"'{name}' is required, found none")
    raise _FaultError(
        FailureReason.UNKNOWN_DESCRIPTOR,
        f"must be values of {list(task.descriptors)} in this order, found {said!r}",
    )
