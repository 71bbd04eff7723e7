"""The frame of the page as HTML: header, status line, banner and the strip of input checks."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from jomed_app.types import InputInfo
from jomed_app.ui import text
from jomed_app.ui.reading import InfoView


def header(app_version: str, info: InfoView) -> str:
    """Return the page header: name, disclaimer, versions."""
    return (
        '<header class="top"><div class="top-name"><h1>' + text.NAME + "</h1>"
        f'<span class="top-task">{escape(info.task.name)}</span></div>'
        f'<p class="top-warning" role="note">{text.DISCLAIMER}</p>'
        '<div class="top-side">'
        f'<span class="top-versions">app {escape(app_version)} &middot; bundle '
        f"{escape(info.bundle)} &middot; index {escape(info.index)} "
        f"({info.index_size:,} cases)</span>"
        '<button type="button" class="btn btn-quiet" data-action="theme" '
        'aria-label="Switch between light and dark">Light / dark</button></div></header>'
    )


def status(sentence: str, *, is_busy: bool = False) -> str:
    """Return the polite status line."""
    dot = "status-dot is-busy" if is_busy else "status-dot"
    return (
        f'<div class="status" role="status" aria-live="polite"><span class="{dot}" '
        f'aria-hidden="true"></span><span class="status-text">{escape(sentence)}</span></div>'
    )


def banner(sentence: str) -> str:
    """Return the banner for an error, or nothing for an empty sentence."""
    if not sentence:
        return ""
    return f'<div class="banner" role="alert"><b>Not done.</b> {escape(sentence)}</div>'


def checks(info: InputInfo | None, metadata: Mapping[str, str] | None = None) -> str:
    """Return the strip of input checks and the grey-scale chain (the input passport)."""
    if info is None:
        return ""
    items = [
        f'<li class="check"><span class="check-name">input</span> {escape(info.format.upper())} '
        f"{info.columns} x {info.rows} {escape(info.photometric)}"
        + (f" {escape(info.modality)}" if info.modality else "")
        + "</li>"
    ]
    for check in info.checks:
        value = _short(check.value)
        state, mark = ("is-ok", "&#10003;") if check.passed else ("is-bad", "&#9888;")
        spoken = "passed" if check.passed else "not passed"
        items.append(
            f'<li class="check {state}" title="{escape(check.message)}">'
            f'<span class="check-mark" aria-hidden="true">{mark}</span>'
            f'<span class="check-name">{_check_name(check.name)}</span> {value}'
            f'<span class="vh">{spoken}: {escape(check.message)}</span></li>'
        )
    rows = "".join(
        f"<tr><th scope='row'>{_check_name(check.name)}</th><td>"
        f"{'passed' if check.passed else '<b>not passed</b>'}</td>"
        f"<td>{_short(check.value)}</td><td>{escape(check.message)}</td></tr>"
        for check in info.checks
    )
    facts = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td colspan='3'>{escape(value)}</td></tr>"
        for name, value in (metadata or {}).items()
    )
    failed = [check for check in info.checks if not check.passed]
    total = len(info.checks)
    items.append(
        f'<li class="check check-sum" aria-hidden="true">{total - len(failed)} of {total} '
        "checks passed</li>"
    )
    notes = "".join(
        f'<p class="check-note">&#9888; {_check_name(check.name)}: {escape(check.message)}</p>'
        for check in failed
    )
    return (
        f'<section class="checks" aria-label="Input checks"><ul>{"".join(items)}</ul>'
        f'<details class="passport"><summary>Input passport</summary><table>{rows}{facts}'
        f"<tr><th scope='row'>sha-256</th><td colspan='3' class='mono'>{escape(info.sha256)}</td>"
        f"</tr></table></details></section>{notes}"
    )


def _check_name(name: str) -> str:
    """Return a check's name as words."""
    return escape(name.replace("_", " "))


def _short(value: float | str | None) -> str:
    """Return a check's figure in few characters, escaped."""
    if value is None:
        return ""
    return escape(value if isinstance(value, str) else f"{value:.3g}")
