"""Two searches for one query: the switch between them and what changes, in words."""

from __future__ import annotations

from html import escape
from typing import Any

from jomed_app.types import CandidateResult, Retrieval
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case

NAMES: dict[Retrieval, str] = {"standard": "Standard RAG", "joint": "Jointly optimised"}
MEANINGS: dict[Retrieval, str] = {
    "joint": "The search was trained on which cases help the reader to the right answer. "
    "No promise for this image: compare both.",
    "standard": "The cases nearest by image or by passage; the search was not trained on what "
    "helps the reader.",
}
BY_OTHER: dict[Retrieval, str] = {
    "joint": "by similarity alone",
    "standard": "when jointly optimised",
}
MARKS = {"same": "=", "new": "+", "gone": "&#8722;", "up": "&#8593;", "down": "&#8595;"}
SAME_CASES = "Both searches find the same cases in the same order."
SAME_SET = "Both searches find the same cases, in another order."
STATUS_SWITCHED = "Showing the result of the other search, as it was read before."
STATUS_SEARCHING = "Reading the cases of the other search."
NOT_READY = "The search can be switched once the run has finished."
ONE_SEARCH = "This bundle has one search only: its query heads are untrained."


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st ..."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def change_line(candidate: CandidateResult, retrieval: Retrieval) -> str:
    """Return where a candidate stands in the other search, in words beside a small arrow.

    The arrow shows what joint training did to the case, whichever search is shown.

    Args:
        candidate: as found by the search that is shown.
        retrieval: that search.
    """
    other, by_other, is_joint = candidate.other_rank, BY_OTHER[retrieval], retrieval == "joint"
    if other == candidate.rank:
        kind, words = "same", f"unchanged: {ordinal(other)} in both searches"
    elif other is None:
        kind = "new" if is_joint else "gone"
        words = f"{'new: ' if is_joint else ''}not among the first 50 {by_other}"
    else:
        kind = "up" if (candidate.rank < other) == is_joint else "down"
        words = f"{'was ' if is_joint else ''}{ordinal(other)} {by_other}"
    return (
        f'<div class="change is-{kind}"><span class="change-mark" aria-hidden="true">'
        f"{MARKS[kind]}</span><span>{words}</span></div>"
    )


def strip(case: Case, reading: Reading, info: Any) -> dict[str, Any] | None:
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
        "options": [{"id": name, "title": title} for name, title in NAMES.items()],
        "meaning": MEANINGS[case.retrieval],
        "change": _dropped_words(reading, case.retrieval) + _other_answer(case),
    }


def _dropped_words(reading: Reading, retrieval: Retrieval) -> str:
    """Return which cases the other search shows instead, as HTML."""
    if not reading.dropped:
        is_same = all(each.other_rank == each.rank for each in reading.candidates)
        return f"<p>{SAME_CASES if is_same else SAME_SET}</p>"
    named = "; ".join(
        f"{ordinal(each.rank)} <b>{escape(each.label)}</b> "
        f'<span class="mono">{escape(each.candidate_id)}</span>'
        for each in reading.dropped
    )
    word = "Dropped out" if retrieval == "joint" else "Not shown here"
    return f"<p>{word} (rank {BY_OTHER[retrieval]}): {named}.</p>"


def _other_answer(case: Case) -> str:
    """Return what the other search led to, once it was read, as HTML."""
    other = case.other_result
    if other is None:
        return ""
    final = other.final
    name = NAMES[other.retrieval]
    if final.prediction is None:
        return f"<p>{name} led to no diagnosis.</p>"
    share = final.probabilities.get(final.prediction, 0.0)
    return f"<p>{name} led to <b>{escape(final.prediction)}</b> {share:.2f}.</p>"
