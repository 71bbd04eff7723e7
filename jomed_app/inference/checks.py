"""Checks that decide whether an image is read at all, and which of them a reader may go past."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.tasks import Task
from jomed_app.imaging.content.kind import LEAST_LEVELS, MOST_COLORED, MOST_SMOOTH
from jomed_app.imaging.content.polarity import MODALITIES as POLARITY_MODALITIES
from jomed_app.models.heads import DomainHead
from jomed_app.types import Check, ImageRecord, InputInfo

STOPPING_CHECKS = ("contrast",)  # a blank image is not read
# What these fail is a question to the reader, the first of them first.
ASKING_CHECKS = ("modality", "pattern", "color", "domain", "inversion")
_NOTHING_SAID = "OT"  # Modality (0008,0060): other
_INVERTED = "looks inverted"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an image is not read.

    Attributes:
        reason: in one or two sentences.
        asks: failed checks that the reader may go past; empty where nothing can be read.
    """

    reason: str
    asks: tuple[str, ...] = ()


def content_checks(task: Task, image: ImageRecord) -> tuple[Check, ...]:
    """Check what a picture shows, and what its file says of it, against what a task reads.

    A check that says nothing for the task or the file is left out.

    Args:
        task: its `modalities` say what it reads.
        image: the decoded query.
    """
    kinds = (*_modality(task, image.info), _pattern(image), *_color(task, image))
    if all(check.passed for check in kinds):  # what is no scan has no polarity
        return (*kinds, *_inversion(task, image))
    return kinds


def _modality(task: Task, info: InputInfo) -> tuple[Check, ...]:
    """Compare Modality (0008,0060) with what the task reads."""
    said = info.modality
    if not task.modalities or said is None or said == _NOTHING_SAID:
        return ()
    passed = said in task.modalities
    wanted = " or ".join(task.modalities)
    message = f"The file says that its modality is {said}"
    tail = "." if passed else f"; this task reads {wanted}."
    return (Check(name="modality", passed=passed, value=said, message=message + tail),)


def _pattern(image: ImageRecord) -> Check:
    """Tell a test pattern, a mask or a drawing by its few gray levels or its lack of grain."""
    content = image.content
    is_flat = content.smooth_share > MOST_SMOOTH
    has_few = content.num_levels < LEAST_LEVELS
    levels = f"{content.num_levels} gray level{'' if content.num_levels == 1 else 's'}"
    found = f"{levels} but black, {100 * content.smooth_share:.0f} % without grain"
    if is_flat or has_few:
        message = f"This looks like a test pattern or a drawing, not like a scan ({found})."
    else:
        message = f"The image has the grain of a scan ({found})."
    return Check(
        name="pattern",
        passed=not (is_flat or has_few),
        value=float(content.num_levels),
        message=message,
    )


def _color(task: Task, image: ImageRecord) -> tuple[Check, ...]:
    """Tell a photograph by its color, where the task reads gray images."""
    if task.reads_color:
        return ()
    share = image.content.colored_share
    passed = share <= MOST_COLORED
    message = f"{100 * share:.0f} % of the image is coloured" + (
        "." if passed else ", as in a photograph; this task reads gray scans."
    )
    return (Check(name="color", passed=passed, value=round(share, 4), message=message),)


def _inversion(task: Task, image: ImageRecord) -> tuple[Check, ...]:
    """Say that an image looks inverted; where it does not, what the file said stands."""
    guessed = bool(task.modalities) and POLARITY_MODALITIES.issuperset(task.modalities)
    uprightness = image.content.uprightness
    if not guessed or uprightness is None or uprightness >= 0:
        return ()
    message = "The image looks inverted: black and white seem exchanged"
    tail = ", after you had it inverted." if image.info.inverted_as_asked else "."
    return (Check(name="inversion", passed=False, value=_INVERTED, message=message + tail),)


def domain_check(
    domain: DomainHead, features: NDArray[np.float32], least_probability: float
) -> Check:
    """Check that an image is of the kind the bundle was made for.

    Args:
        domain: fitted beside the reader.
        features: (F,) pooled tower features.
        least_probability: in [0, 1], from which the classifier's word is taken.
    """
    probability = domain.probability(features)
    distance = domain.distance(features)
    passed = probability >= least_probability and distance <= 1.0
    message = (
        f"Like the images the bundle was made for (probability {probability:.2f}, "
        f"distance {distance:.2f} of the limit)"
    )
    return Check(
        name="domain",
        passed=passed,
        value=round(probability, 4),
        message=message if passed else "Not l" + message[1:],
    )


def with_checks(info: InputInfo, checks: Collection[Check]) -> InputInfo:
    """Add checks to an input; one of a name that is there already takes its place."""
    anew = {check.name: check for check in checks}
    kept = [anew.pop(check.name, check) for check in info.checks]
    return info.model_copy(update={"checks": (*kept, *anew.values())})


def asking(info: InputInfo) -> tuple[str, ...]:
    """Names of the failed checks that ask whether to go on, the first to say first.

    Of inversion only the guess asks, and not about an image that was inverted as asked.
    """
    asks = {
        check.name
        for check in info.checks
        if not check.passed
        and (check.name != "inversion" or (check.value == _INVERTED and not info.inverted_as_asked))
    }
    return tuple(name for name in ASKING_CHECKS if name in asks)


def refusal(task: Task, info: InputInfo) -> Refusal | None:
    """Return why an image is not read, or None.

    Args:
        task: words the reason.
        info: with all its checks, and those of them that the reader goes past.
    """
    by_name = {check.name: check for check in info.checks}
    for name in STOPPING_CHECKS:
        if name in by_name and not by_name[name].passed:
            return Refusal(f"The image cannot be read: {by_name[name].message}")
    asks = asking(info)
    if set(asks) <= set(info.overruled):
        return None
    message = by_name[asks[0]].message
    if asks[0] == "inversion":
        return Refusal(f"{message} Read it inverted, or go on as it is.", asks)
    ending = "" if message.endswith(".") else "."
    way = ", or read this one inverted" if "inversion" in asks else ""
    return Refusal(f"{task.out_of_domain}: {message}{ending} Use an image of that kind{way}.", asks)
