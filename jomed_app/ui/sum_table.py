"""How the diagnosis arose, as a sum: every part times what it says."""

from __future__ import annotations

from html import escape

from jomed_app.types import CandidateResult, FinalResult
from jomed_app.ui import text


def sum_table(candidates: tuple[CandidateResult, ...], final: FinalResult) -> str:
    """Return weight times probability per candidate for the predicted class, and the sum."""
    chosen = final.prediction
    if chosen is None:
        return ""
    read = [item for item in candidates if chosen in item.probabilities]
    rest = 1.0 - final.neighbor_weight - final.image_head_weight
    total = sum(rest * item.weight * item.probabilities[chosen] for item in read)
    rows = "".join(
        f"<tr><th scope='row'>#{item.rank}</th><td>{escape(item.prediction or '')}</td>"
        f"<td>{rest * item.weight:.2f}</td><td>&times; {item.probabilities[chosen]:.2f}</td>"
        f"<td>{rest * item.weight * item.probabilities[chosen]:.3f}</td></tr>"
        for item in read
    )
    for head, words, weight, said in (
        ("near", text.NEAREST_LABELS, final.neighbor_weight, final.neighbor_vote),
        ("image", text.IMAGE_HEAD, final.image_head_weight, final.image_head),
    ):
        if weight > 0:
            value = said.get(chosen, 0.0)
            total += weight * value
            rows += (
                f"<tr><th scope='row'>{head}</th><td>{words}</td><td>{weight:.2f}</td>"
                f"<td>&times; {value:.2f}</td><td>{weight * value:.3f}</td></tr>"
            )
    name = escape(chosen)
    calibrated = final.probabilities.get(chosen, 0.0)
    return (
        '<div class="jblock"><h2>How it arose</h2><table class="sum"><thead><tr>'
        "<th scope='col'>case</th><th scope='col'>says</th><th scope='col'>weight</th>"
        f"<th scope='col'>p({name})</th><th scope='col'>part</th></tr></thead>"
        f"<tbody>{rows}</tbody><tfoot><tr><th scope='row' colspan='4'>weighted sum</th>"
        f"<td>{total:.3f}</td></tr><tr><th scope='row' colspan='4'>after calibration</th>"
        f"<td>{calibrated:.3f}</td></tr></tfoot></table></div>"
    )
