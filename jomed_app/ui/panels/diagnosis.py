"""Events and results as HTML: warning first, then the diagnosis, then how it arose."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from jomed_app.types import (
    CandidateResult,
    Consistency,
    ConsistencyState,
    FinalResult,
    Result,
)
from jomed_app.ui import text
from jomed_app.ui.panels.cards import bars
from jomed_app.ui.panels.sum_table import sum_table
from jomed_app.ui.reading import InfoView, Reading, info_of


def panel(
    reading: Reading | None,
    info: InfoView,
    *,
    flip_to: str | None = None,
    num_removed: int = 0,
) -> str:
    """Return the right-hand panel.

    Args:
        reading: what is known so far; None before a case is open.
        info: labels and error rates.
        flip_to: the answer without the decisive candidate, when known.
        num_removed: candidates that the reader took out of the sum.
    """
    if reading is None:
        return f'<section class="panel"><p class="panel-empty">{text.PANEL_EMPTY}</p></section>'
    measured = info_of(info, reading.retrieval)
    labels = tuple(info.task.labels)
    parts = ['<section class="panel" aria-label="Diagnosis">']
    if num_removed:
        parts.append(_removed_note(num_removed))
    if reading.final is None or reading.consistency is None:
        parts.append(_waiting(reading))
    else:
        parts.append(
            warning(
                reading.consistency,
                reading.final,
                reading.candidates,
                info=measured,
                flip_to=flip_to,
            )
        )
        parts.append(final_block(reading.final, labels, measured.measured_on))
        if not reading.final.abstained:
            parts.append(sum_table(reading.candidates, reading.final))
    parts.append(f'<div class="narrow-only">{findings(reading)}</div>')
    if reading.result is not None:
        is_other = info.standard is not None and reading.retrieval != info.opens_with
        parts.append(provenance(reading.result, is_other=is_other))
    return "".join(parts) + "</section>"


def _removed_note(num_removed: int) -> str:
    """Return the note that the result is not that of the full run."""
    noun = "candidate" if num_removed == 1 else "candidates"
    return (
        f'<div class="removed-note"><span>What if: without {num_removed} {noun}.</span>'
        '<button type="button" class="btn" data-action="restore-all">Restore all</button></div>'
    )


def _waiting(reading: Reading) -> str:
    """Return the panel while no diagnosis is known."""
    total = len(reading.candidates)
    words = (
        "Searching for similar cases."
        if total == 0
        else (f"{reading.num_read} of {total} similar cases read.")
    )
    share = reading.num_read / total * 100 if total else 0
    return (
        '<div class="jblock waiting"><h2>Diagnosis</h2>'
        f"<p>{words} The diagnosis follows when all are read.</p>"
        f'<div class="bar-track"><span class="bar-fill" style="width:{share:.0f}%"></span></div>'
        "</div>"
    )


def warning(
    consistency: Consistency,
    final: FinalResult,
    candidates: tuple[CandidateResult, ...],
    *,
    info: InfoView,
    flip_to: str | None,
) -> str:
    """Return the agreement block, which always stands above the diagnosis."""
    state = consistency.state
    sentences = [_agreement_words(consistency, candidates)]
    title, mark, look = text.state_title(state), text.STATE_MARKS[state], f"is-{state.value}"
    is_answered = state is not ConsistencyState.ABSTAIN and bool(consistency.counts)
    if is_answered and final.prediction and final.prediction not in consistency.counts:
        title, look = f"{title}{text.FINAL_DIFFERS}", f"{look} is-contradicted"
        mark = text.STATE_MARKS[ConsistencyState.DISAGREE]
        sentences.append(text.NO_CANDIDATE_SAYS.format(name=escape(final.prediction)))
    ranks = {item.candidate_id: item.rank for item in candidates}
    decisive = consistency.decisive_candidate
    if decisive is not None and decisive in ranks:
        is_other = flip_to is not None and flip_to != final.prediction
        change = f" to <b>{escape(flip_to or '')}</b>" if is_other else ""
        sentences.append(
            f"The answer rests on candidate #{ranks[decisive]}: without it, it changes{change}."
        )
    if state is ConsistencyState.ABSTAIN:
        sentences = [f"Reason: {escape(final.reason or 'not stated')}"]
        sentences.append(text.ABSTAIN_CASES if candidates else text.ABSTAIN_ADVICE)
    rate = info.error_rates.get(state.value)
    known = (
        f'<p class="rate">On validation cases in this state the answer was wrong in '
        f"{rate * 100:.0f} %.</p>"
        if rate is not None
        else ""
    )
    body = "".join(f"<p>{sentence}</p>" for sentence in sentences)
    return (
        f'<div class="agreement {look}"><span class="agreement-mark" '
        f'aria-hidden="true">{mark}</span><div><h2>{title}</h2>'
        f"{body}{known}</div></div>"
    )


def _agreement_words(consistency: Consistency, candidates: tuple[CandidateResult, ...]) -> str:
    """Return the counts, worded as uncertainty and not as alarm."""
    total = sum(consistency.counts.values())
    ordered = sorted(consistency.counts.items(), key=lambda item: -item[1])
    if len(ordered) <= 1 and total:
        name = escape(ordered[0][0])
        values = [
            f"{item.probabilities[ordered[0][0]]:.2f}"
            for item in candidates
            if ordered[0][0] in item.probabilities
        ]
        least, most = min(values, default=""), max(values, default="")
        between = least if least == most else f"from {least} to {most}"
        spread = f", with confidence {between}" if values else ""
        word = "the one candidate says" if total == 1 else f"all {total} candidates say"
        return f"Read one by one, {word} <b>{name}</b>{spread}."
    counts = "; ".join(f"{count} of {total}: <b>{escape(name)}</b>" for name, count in ordered)
    return f"Read one by one, the candidates give {counts}."


def final_block(final: FinalResult, labels: tuple[str, ...], measured_on: str = "") -> str:
    """Return the final diagnosis, or the abstention in its place.

    Args:
        final: the conclusion.
        labels: in the order in which they are shown.
        measured_on: where the calibration comes from, in words.
    """
    alone = (
        f'<p class="alone">{text.READER_ALONE}: <b>{escape(final.query_only_prediction)}</b></p>'
        if final.query_only_prediction
        else ""
    )
    if final.index_only:
        names = escape(", ".join(final.index_only))
        alone += f'<p class="alone">{text.INDEX_ONLY.format(names=names)}</p>'
    if final.abstained or final.prediction is None:
        return (
            '<div class="jblock final is-abstained"><h2>Final diagnosis</h2>'
            '<p class="final-name">none given</p>'
            f"{_undecided(final, labels)}{alone}</div>"
        )
    value = final.probabilities.get(final.prediction, 0.0)
    interval = (
        f'<span class="final-interval">95 % interval {final.interval[0]:.2f} to '
        f"{final.interval[1]:.2f}</span>"
        if final.interval is not None
        else ""
    )
    return (
        '<div class="jblock final"><h2>Final diagnosis</h2>'
        f'<p class="final-line"><span class="final-name">{escape(final.prediction)}</span>'
        f'<span class="final-value">{value:.2f}</span>{interval}</p>'
        f'<p class="final-count">{_count_of_ten(value, measured_on)}'
        f'<span class="muted">{escape(text.measured_words(measured_on))}</span></p>'
        f"{bars(final.probabilities, labels, final.prediction)}{alone}</div>"
    )


def _undecided(final: FinalResult, labels: tuple[str, ...]) -> str:
    """Return what was found all the same, where it was too little to name a diagnosis."""
    if not final.probabilities:
        return ""
    return f'<p class="muted">{text.UNDECIDED}</p>{bars(final.probabilities, labels, None)}'


def _count_of_ten(value: float, measured_on: str) -> str:
    return f"Calibrated: {text.count_words(value)}. " if measured_on else ""


def findings(reading: Reading) -> str:
    """Return findings, report sentence and boxes in words; they stand below the query."""
    parts = []
    if reading.findings is not None:
        parts.append(findings_table(reading.findings))
        if reading.report:
            parts.append(
                '<div class="jblock"><h2>Report sentence</h2>'
                f'<p class="report">{escape(reading.report)}</p></div>'
            )
    if reading.boxes is not None:
        parts.append(_box_words(reading))
    return "".join(parts)


def findings_table(findings: Mapping[str, Mapping[str, float]]) -> str:
    """Return each descriptor with its likeliest value and the runner-up."""
    if not findings:
        return (
            '<div class="jblock"><h2>Findings</h2><p class="muted">No descriptor applies.</p></div>'
        )
    rows = []
    for descriptor, values in findings.items():
        ordered = sorted(values.items(), key=lambda item: -item[1])
        if not ordered:
            continue
        first, second = ordered[0], ordered[1] if len(ordered) > 1 else None
        runner = f"{escape(second[0])} {second[1]:.2f}" if second else ""
        rows.append(
            f"<tr><th scope='row'>{escape(descriptor)}</th><td><b>{escape(first[0])}</b></td>"
            f"<td>{first[1]:.2f}</td><td class='muted'>{runner}</td></tr>"
        )
    return (
        '<div class="jblock"><h2>Findings</h2><table class="findings"><thead><tr>'
        "<th scope='col'>descriptor</th><th scope='col'>likeliest</th><th scope='col'>p</th>"
        f"<th scope='col'>next</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _box_words(reading: Reading) -> str:
    """Return the boxes in words, for screen readers and for copying."""
    if not reading.boxes:
        return f'<div class="jblock"><h2>Boxes</h2><p>{text.NO_BOX_RETURNED}</p></div>'
    rows = "".join(
        f"<tr><td><b>{escape(box.label)}</b></td><td>{box.score:.2f}</td>"
        f"<td class='mono'>{box.x0:.0f}, {box.y0:.0f} - {box.x1:.0f}, {box.y1:.0f}</td></tr>"
        for box in reading.boxes
    )
    return (
        '<div class="jblock"><h2>Boxes</h2><table><thead><tr><th scope="col">label</th>'
        '<th scope="col">score</th><th scope="col">x0, y0 - x1, y1 (px)</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def provenance(result: Result, *, is_other: bool = False) -> str:
    """Return versions, timings, the API call and the result file.

    Args:
        result: one case.
        is_other: whether it came from another search than the one the API answers with.
    """
    times, versions = result.timings_ms, result.versions
    rows = (
        ("app", versions.app),
        ("bundle", versions.bundle),
        ("index", versions.index),
        ("schema", versions.schema_),
        (
            "time",
            f"decode {times.decode:.0f}, retrieve {times.retrieve:.0f}, read {times.read:.0f}, "
            f"total {times.total:.0f} ms",
        ),
    )
    table = "".join(
        f"<tr><th scope='row'>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows
    )
    call = text.API_NOTE.format(search=result.retrieval)
    note = f'<p class="muted">{call}</p>' if is_other else ""
    document = escape(result.model_dump_json(by_alias=True, indent=2))
    return (
        '<div class="jblock"><h2>Versions and time</h2>'
        f'<table class="versions">{table}</table></div>'
        f'<div class="jblock"><h2>Same answer elsewhere</h2>{note}'
        '<div class="row"><button type="button" class="btn" data-copy="json">Copy JSON</button>'
        '<button type="button" class="btn" data-download="json">Download JSON</button>'
        '<button type="button" class="btn" data-copy="python">Copy Python call</button>'
        '<button type="button" class="btn" data-copy="curl">Copy curl call</button></div>'
        f'<details data-key="json"><summary>Result JSON ({versions.schema_})</summary>'
        f'<pre data-source="json" tabindex="0">{document}</pre></details>'
        f'<details data-key="python"><summary>Python call</summary>'
        f'<pre data-source="python" tabindex="0">{escape(text.PYTHON_CALL)}</pre></details>'
        f'<details data-key="curl"><summary>curl call</summary>'
        f'<pre data-source="curl" tabindex="0">{escape(text.CURL_CALL)}</pre></details></div>'
    )
