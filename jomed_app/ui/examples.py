"""The simulated example cases that ship with the app: a small JSON list beside its PNG files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jomed_app.errors import RecordError

EXAMPLES_FILE = "examples.json"


@dataclass(frozen=True, slots=True)
class Example:
    """One example: the file inside the examples folder and the words on its button."""

    path: Path
    title: str


def load_examples(folder: Path) -> tuple[Example, ...]:
    """Return the examples listed in `examples.json`: a list of {"file", "title"}.

    A folder without the list has no examples.

    Raises:
        RecordError: if the list is malformed or names a file that is not there.
    """
    listing = folder / EXAMPLES_FILE
    if not listing.is_file():
        return ()
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))
        examples = tuple(
            Example(path=folder / Path(str(entry["file"])).name, title=str(entry["title"]))
            for entry in entries
        )
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise RecordError(
            f"{EXAMPLES_FILE} must be a list of objects with 'file' and 'title'; correct it"
        ) from error
    for example in examples:
        if not example.path.is_file():
            raise RecordError(
                f"{EXAMPLES_FILE} names '{example.path.name}', which is not in its folder; add it"
            )
    return examples
