"""What stands under each pane: the known label and the model's prediction, never on one line."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from jomed_app.data.records import CaseRecord
from jomed_app.types import CandidateResult
from jomed_app.ui import text


def bars(probabilities: Mapping[str, float], labels: tuple[str, ...], chosen: str | None) -> str:
    """Return one bar per class, in the task's order; the chosen class is set in bold.

    Args:
        probabilities: class -> probability in [0, 1].
        labels: order of the classes; others follow behind.
        chosen: class to stress, or None.
    """
    names = [name for name in labels if name in probabilities]
    names += [name for name in probabilities if name not in labels]
    rows = []
    for name in names:
        value = probabilities[name]
        mark = " is-chosen" if name == chosen else ""
        rows.append(
            f'<div class="bar{mark}"><span class="bar-name">{escape(name)}</span>'
            f'<span class="bar-track"><span class="bar-fill" style="width:{value * 100:.1f}%">'
            f'</span></span><span class="bar-value">{value:.2f}</span></div>'
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def candidate_card(
    candidate: CandidateResult,
    *,
    labels: tuple[str, ...],
    final: str | None,
    is_removed: bool,
    is_counter: bool,
    can_remove: bool,
    change: str = "",
) -> str:
    """Return the card of one candidate.

    Args:
        candidate: the candidate as far as it was read.
        labels: the task's classes in order.
        final: the final prediction, to mark a candidate that dissents.
        is_removed: taken out by the reader; its numbers are those of the full run.
        is_counter: whether it is also the nearest case of another known diagnosis.
        can_remove: whether a button to remove or restore is offered.
        change: where it stands in the other search, as HTML; empty where there is none.
    """
    parts = [change, _label_line(candidate.label)]
    if candidate.prediction is None:
        parts.append(_line("model is-waiting", "&#9670;", "Model", "<span>reading ...</span>"))
    else:
        value = candidate.probabilities.get(candidate.prediction)
        figure = f' <span class="num">{value:.2f}</span>' if value is not None else ""
        dissent = (
            '<span class="tag tag-warn" title="differs from the final diagnosis">&#8800; final'
            '<span class="vh">: differs from the final diagnosis</span></span>'
            if final is not None and candidate.prediction != final and not is_removed
            else ""
        )
        said = f"<b>{escape(candidate.prediction)}</b>{figure}{dissent}"
        parts.append(_line("model", "&#9670;", "Model", said))
        parts.append(bars(candidate.probabilities, labels, candidate.prediction))
    if is_removed:
        parts.append('<div class="weight is-removed"><span>removed from the sum</span></div>')
    else:
        parts.append(
            '<div class="weight"><span class="weight-name">weight</span>'
            f'<span class="bar-track"><span class="bar-fill" '
            f'style="width:{candidate.weight * 100:.1f}%"></span></span>'
            f'<span class="bar-value">{candidate.weight:.2f}</span></div>'
        )
    if is_counter:
        parts.append(
            '<div class="tag-row"><span class="tag">counter-case</span>'
            "<span>nearest with another known diagnosis</span></div>"
        )
    parts.append('<div class="card-foot">')
    parts.append(_details(candidate.candidate_id, candidate))
    if can_remove:
        verb, word = ("restore", "Restore") if is_removed else ("remove", "Remove")
        parts.append(
            f'<button type="button" class="btn btn-quiet card-action" data-action="{verb}" '
            f'data-id="{escape(candidate.candidate_id)}" '
            f'aria-label="{word} candidate {candidate.rank}">{word}</button>'
        )
    parts.append("</div>")
    return "".join(parts)


def counter_card(record: CaseRecord, final: str | None) -> str:
    """Return the card of the nearest case whose known label is not the final diagnosis."""
    versus = f" than the final ({escape(final)})" if final else ""
    rows = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>"
        for key, value in record.provenance.items()
    )
    return (
        _label_line(record.label)
        + f'<p class="counter-words">Nearest case with a <b>different</b> known diagnosis{versus}. '
        "Look for what tells it apart.</p>"
        f'<p class="passage">{escape(record.passage)}</p>'
        f'<details data-key="{escape(record.case_id)}"><summary>Source</summary>'
        f'<dl class="facts">{rows}</dl></details>'
    )


def is_simulated(provenance: Mapping[str, str]) -> bool:
    """Whether the provenance says that the case was simulated."""
    return any(
        "simulated" in value.lower() or (key.lower() == "simulated" and value.lower() == "true")
        for key, value in provenance.items()
    )


def _label_line(label: str) -> str:
    """Return the line of the known label."""
    return _line("known", "&#9632;", "Label", f"<b>{escape(label)}</b>")


def _line(kind: str, mark: str, name: str, content: str) -> str:
    """Return one marked line."""
    return (
        f'<div class="line {kind}"><span class="mark" aria-hidden="true">{mark}</span>'
        f'<span class="line-name">{name}</span><span class="line-said">{content}</span></div>'
    )


def _details(key: str, candidate: CandidateResult) -> str:
    """Return passage, similarity and provenance, folded."""
    facts = {
        "similarity": text.percentile_words(candidate.similarity_percentile),
        "found by": " and ".join(f"{head} search" for head in candidate.heads),
        **candidate.provenance,
        "case": candidate.candidate_id,
    }
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()
    )
    return (
        f'<details data-key="{escape(key)}"><summary>Passage, source</summary>'
        f'<p class="passage">{escape(candidate.passage)}</p>'
        f'<dl class="facts">{rows}</dl></details>'
    )
