"""The captions of a shipped example: as what it was drawn, how it is read, and whether rightly.

Nothing is told but what the result on the page holds, so that a new bundle tells a new story.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from jomed_app.inference.conclusion.standing import standing_of
from jomed_app.types import FinalResult, Standing
from jomed_app.ui import text
from jomed_app.ui.reading import Reading
from jomed_app.ui.templates import Panel

LEADS = 0.5  # share of the answer, in [0, 1], from which a part of it can overrule all others


@dataclass(frozen=True, slots=True)
class Caption(Panel):
    """One sentence or two, and its place among the three."""

    number: int
    words: str


def image_caption(drawn_as: str) -> Caption | None:
    """Return what the example is; None for any other image.

    Args:
        drawn_as: the diagnosis as which it was drawn; empty for any other image.
    """
    if not drawn_as:
        return None
    return Caption(1, f"An example: a program drew this image as {drawn_as}.")


def readings_caption(drawn_as: str, reading: Reading) -> Caption | None:
    """Return how it is read beside the similar cases; None until it was read beside all.

    Args:
        drawn_as: the diagnosis as which it was drawn; empty for any other image.
        reading: what is known so far.
    """
    said = Counter(each.prediction for each in reading.candidates)
    if not drawn_as or not said or None in said:
        return None
    parts = [f"{name} {count} of {said.total()}" for name, count in said.most_common()]
    if len(said) > 1:
        return Caption(2, f"Read beside the similar cases: {', '.join(parts)}.")
    right = "rightly" if drawn_as in said else "wrongly"
    return Caption(2, f"Read beside each similar case: {parts[0]}, {right}.")


def answer_caption(drawn_as: str, reading: Reading) -> Caption | None:
    """Return whether the answer is right, and what made it wrong; None until there is one.

    Args:
        drawn_as: the diagnosis as which it was drawn; empty for any other image.
        reading: what is known so far.
    """
    final, consistency = reading.final, reading.consistency
    if not drawn_as or final is None or consistency is None:
        return None
    named = final.prediction
    if final.abstained or named is None:
        return Caption(3, "No answer is given; the reason stands beside it.")
    if named == drawn_as:
        return Caption(3, f"The answer, {named}, is right.")
    stands = standing_of(consistency, final, reading.candidates)
    if stands is Standing.OVERRULED and _classifier_says(final) == named:
        share = text.share_words(final.image_head_weight)
        words = f"The image classifier, {share} of the answer, overrules them with {named}"
        return Caption(3, f"{words}: wrong.")
    return Caption(3, f"The answer, {named}, is wrong.")


def _classifier_says(final: FinalResult) -> str:
    """Return what the image classifier says where it can overrule all others; else nothing."""
    said = final.image_head
    if final.image_head_weight < LEADS or not said:
        return ""
    return max(said, key=lambda name: said[name])
