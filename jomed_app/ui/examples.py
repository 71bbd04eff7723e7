"""The simulated example cases that ship with the app: a small JSON list beside its PNG files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jomed_app.errors import RecordError

EXAMPLES_FILE = "examples.json"


@dataclass(frozen=True, slots=True)
class Example:
    """One example.

    Attributes:
        path: of the file inside the examples folder.
        title: the words on its button.
        known: the diagnosis as which it was drawn; empty where the list names none.
        opens: whether the page opens with it.
    """

    path: Path
    title: str
    known: str = ""
    opens: bool = False

    @property
    def name(self) -> str:
        """What a link calls it: its file without the ending, which tells nothing of it."""
        return self.path.stem


def load_examples(folder: Path) -> tuple[Example, ...]:
    """Return the examples of `examples.json`: a list of {"file", "title", "known", "opens"}.

    The last two may be left out. A folder without the list has no examples.

    Raises:
        RecordError: if the list is malformed or names a file that is not there.
    """
    listing = folder / EXAMPLES_FILE
    if not listing.is_file():
        return ()
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))
        examples = tuple(
            Example(
                path=folder / Path(str(entry["file"])).name,
                title=str(entry["title"]),
                known=str(entry.get("known", "")),
                opens=entry.get("opens") is True,
            )
            for entry in entries
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{EXAMPLES_FILE} must be a list of objects with 'file' and 'title'; correct it"
        ) from error
    for example in examples:
        if not example.path.is_file():
            raise RecordError(
                f"{EXAMPLES_FILE} names '{example.path.name}', which is not in its folder; add it"
            )
    return examples


def first_of(examples: Sequence[Example]) -> Example | None:
    """Return the example that the page opens with; None where it opens empty."""
    return next((each for each in examples if each.opens), None)
