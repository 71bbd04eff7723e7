"""Made-up class names: what a reader practices so that it can read classes it was not tuned on.

A class that exists only in the index has a name that no answer ever had. Ours: part of the queries
show their references under a made-up name, the answer where the reference is of the query's class.
"""

from __future__ import annotations

from collections.abc import Sequence

MADE_UP_NAMES = (
    "amber", "bronze", "cobalt", "delta", "ember", "fern", "garnet", "harbor", "indigo", "jasper",
    "kite", "lemon", "maple", "nickel", "olive", "pearl", "quartz", "river", "silver", "tulip",
    "umber", "willow", "yellow", "zinc",
)  # fmt: skip


def made_up_names(words: Sequence[str]) -> tuple[str, ...]:
    """Return the made-up names that begin unlike all given words, each with another letter.

    So the first token of an answer tells which name it is.

    Args:
        words: names that are in use, such as a task's labels.

    Raises:
        ValueError: if none is left.
    """
    taken = {word.strip()[:1].lower() for word in words}
    free = tuple(name for name in MADE_UP_NAMES if name[0] not in taken)
    if not free:
        raise ValueError(
            "a made-up name requires a letter that no label begins with, "
            f"found labels with {sorted(taken)}; set renamed_share = 0"
        )
    return free


def silent_passage(passage: str, label: str) -> str:
    """Return the passage, or nothing where the label stands in it, be it within a longer word."""
    return "" if label.lower() in passage.lower() else passage
