"""The switch between the two searches, and what changes from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jomed_app.types import DroppedCandidate, FinalResult, Retrieval
from jomed_app.ui import text
from jomed_app.ui.protocol import InfoView
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case
from jomed_app.ui.templates import Panel, render


@dataclass(frozen=True, slots=True)
class Search(Panel):
    """What the other search shows instead, and what it led to.

    Attributes:
        retrieval: the search that is shown.
        dropped: cases of the other search that this one does not show, by rank there.
        same: what is said where there are none.
        other_final: what the other search led to; None until it was read.
    """

    retrieval: Retrieval
    dropped: tuple[DroppedCandidate, ...]
    same: str
    other_final: FinalResult | None

    @classmethod
    def of(cls, case: Case, reading: Reading) -> Search:
        """Return the change of one case.

        Args:
            case: the session's case.
            reading: of the search that is shown.
        """
        is_same = all(each.other_rank == each.rank for each in reading.candidates)
        other = case.other_result
        return cls(
            retrieval=case.retrieval,
            dropped=reading.dropped,
            same=text.SAME_CASES if is_same else text.SAME_SET,
            other_final=None if other is None else other.final,
        )

    @property
    def other_name(self) -> str:
        """The other search in words."""
        return text.SEARCH_NAMES["standard" if self.retrieval == "joint" else "joint"]


def search_value(case: Case, reading: Reading, info: InfoView) -> dict[str, Any] | None:
    """Return the switch above the candidates as JSON data; None where there is one search only.

    Args:
        case: the session's case.
        reading: what is known so far.
        info: of the engine.
    """
    if info.standard is None or not reading.candidates:
        return None
    return {
        "chosen": case.retrieval,
        "busy": reading.result is None,
        "options": [{"id": name, "title": title} for name, title in text.SEARCH_NAMES.items()],
        "meaning": text.SEARCH_MEANINGS[case.retrieval],
        "change": render(Search.of(case, reading)),
    }
