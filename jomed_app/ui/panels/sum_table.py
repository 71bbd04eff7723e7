"""How the diagnosis arose, as a sum: every part times what it says."""

from __future__ import annotations

from html import escape

from jomed_app.types import CandidateResult, FinalResult
from jomed_app.ui import text

Part = tuple[str, str, float, float]  # row's name, what it says, weight, probability


def sum_table(candidates: tuple[CandidateResult, ...], final: FinalResult) -> str:
    """Return weight times probability per candidate for the predicted class, and the sum.

    A label that only the index knows has the vote as its only part; the others share what that
    vote leaves, which is a line of its own below the sum.
    """
    chosen = final.prediction
    if chosen is None:
        return ""
    parts = _parts(candidates, final, chosen)
    rows = "".join(
        f"<tr><th scope='row'>{name}</th><td>{says}</td><td>{weight:.2f}</td>"
        f"<td>&times; {value:.2f}</td><td>{weight * value:.3f}</td></tr>"
        for name, says, weight, value in parts
    )
    total = _total(parts)
    sums = [("weighted sum", total)]
    if final.index_only and chosen not in final.index_only:
        known = [each for each in final.probabilities if each not in final.index_only]
        whole = sum(_total(_parts(candidates, final, each)) for each in known)
        rest = 1.0 - sum(final.neighbor_vote.get(each, 0.0) for each in final.index_only)
        sums.append((text.SHARED_WITH_INDEX, total / max(whole, 1e-12) * rest))
    sums.append(("after calibration", final.probabilities.get(chosen, 0.0)))
    foot = "".join(
        f"<tr><th scope='row' colspan='4'>{name}</th><td>{value:.3f}</td></tr>"
        for name, value in sums
    )
    return (
        '<div class="jblock"><h2>How it arose</h2><table class="sum"><thead><tr>'
        "<th scope='col'>case</th><th scope='col'>says</th><th scope='col'>weight</th>"
        f"<th scope='col'>p({escape(chosen)})</th><th scope='col'>part</th></tr></thead>"
        f"<tbody>{rows}</tbody><tfoot>{foot}</tfoot></table></div>"
    )


def _parts(candidates: tuple[CandidateResult, ...], final: FinalResult, label: str) -> list[Part]:
    """What speaks for a label, and how much each counts."""
    vote = final.neighbor_vote.get(label, 0.0)
    if label in final.index_only:
        return [("near", text.NEAREST_LABELS, 1.0, vote)]
    rest = 1.0 - final.neighbor_weight - final.image_head_weight
    read = [
        (
            f"#{each.rank}",
            escape(each.prediction or ""),
            rest * each.weight,
            each.probabilities[label],
        )
        for each in candidates
        if label in each.probabilities
    ]
    beside = [
        ("near", text.NEAREST_LABELS, final.neighbor_weight, vote),
        ("image", text.IMAGE_HEAD, final.image_head_weight, final.image_head.get(label, 0.0)),
    ]
    return read + [part for part in beside if part[2] > 0]


def _total(parts: list[Part]) -> float:
    return sum(weight * value for _, _, weight, value in parts)
