"""The tables of what retrieval does: help and harm, candidates that know, warnings that tell."""

from __future__ import annotations

from markupsafe import Markup

from jomed_app.evaluation.report.pages.markdown import number, table, with_range
from jomed_app.evaluation.report.pages.systems import NO_TABLE
from jomed_app.evaluation.report.retrieval import PASS_AT
from jomed_app.evaluation.report.schema import EvaluationReport


def effects_table(report: EvaluationReport) -> Markup:
    """Answers that known cases mend and spoil; empty before schema 3."""
    rows = [
        [
            f"{each.system} against {each.without}",
            each.n,
            f"{each.helped} / {each.harmed}",
            with_range(each.help_rate, each.help_ci),
            with_range(each.harm_rate, each.harm_ci),
        ]
        for each in report.effects
    ]
    header = ["with against without known cases", "n", "helped / harmed", "help", "harm"]
    return table(header, rows) if rows else NO_TABLE


def pass_table(report: EvaluationReport) -> Markup:
    """Pass@K, and the same of guesses for the largest K; empty before schema 3."""
    systems = {name: each for name, each in report.systems.items() if each.pass_at}
    shown = [k for k in PASS_AT if any(k in each.pass_at for each in systems.values())]
    rows = [
        [name, *(number(each.pass_at.get(k)) for k in shown), number(each.chance_oracle)]
        for name, each in systems.items()
    ]
    header = ["system", *(f"K = {k}" for k in shown), "all, guessed"]
    return table(header, rows) if rows else NO_TABLE


def selective_table(report: EvaluationReport) -> Markup:
    """AURC by confidence and with the state of the candidates first; empty before schema 3."""
    rows = [
        [
            name,
            number(each.selective.by_confidence),
            number(each.selective.by_agreement),
            with_range(each.selective.difference, each.selective.ci, sign="+"),
        ]
        for name, each in report.systems.items()
        if each.selective is not None
    ]
    header = ["system", "AURC by confidence", "agreement first", "difference"]
    return table(header, rows) if rows else NO_TABLE
