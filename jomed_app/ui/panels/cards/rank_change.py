"""Where a candidate stands in the other search, in words beside a small arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jomed_app.types import CandidateResult, Retrieval
from jomed_app.ui import text
from jomed_app.ui.templates import Panel

Kind = Literal["same", "new", "gone", "up", "down"]
MARKS: dict[Kind, str] = {"same": "=", "new": "+", "gone": "−", "up": "↑", "down": "↓"}


@dataclass(frozen=True, slots=True)
class RankChange(Panel):
    """What joint training did to a case, whichever search is shown.

    Attributes:
        kind: of the change, seen from the search by similarity alone.
        words: the rank in the other search.
    """

    kind: Kind
    words: str

    @classmethod
    def of(cls, candidate: CandidateResult, retrieval: Retrieval) -> RankChange:
        """Return the change of one candidate.

        Args:
            candidate: as found by the search that is shown.
            retrieval: that search.
        """
        other, is_joint = candidate.other_rank, retrieval == "joint"
        by_other = text.BY_OTHER_SEARCH[retrieval]
        if other == candidate.rank:
            return cls("same", f"unchanged: {text.ordinal(other)} in both searches")
        if other is None:
            new = "new: " if is_joint else ""
            words = f"{new}not among the first 50 {by_other}"
            return cls("new" if is_joint else "gone", words)
        was = "was " if is_joint else ""
        is_up = (candidate.rank < other) == is_joint
        return cls("up" if is_up else "down", f"{was}{text.ordinal(other)} {by_other}")

    @property
    def mark(self) -> str:
        """The arrow."""
        return MARKS[self.kind]
