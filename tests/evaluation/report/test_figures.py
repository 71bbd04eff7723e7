"""A figure is a function and a declared field: it is measured, and has its column."""

from __future__ import annotations

import math
from typing import Annotated

import pytest

from jomed_app.evaluation.report.figures import Figure, figures_of, measured
from jomed_app.evaluation.report.schema import SystemReport
from jomed_app.types import Frozen

ROWS = [[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]]
LABELS = [0, 1, 1]


class Declared(Frozen):
    """A report with one figure of each kind."""

    plain: Annotated[float | None, Figure("plain", "results", lambda rows, labels: len(rows))]
    asked: Annotated[
        float | None,
        Figure("asked", "probabilities", lambda rows, labels, k: labels.count(k), of_positive=True),
    ] = None
    unknown: Annotated[float | None, Figure("?", "results", lambda rows, labels: math.nan)] = None
    read: Annotated[float | None, Figure("read", "consistency")] = None
    other: float = 0.0


def test_what_probabilities_tell_is_measured_by_declaration():
    found = measured(Declared, ROWS, LABELS, 1)
    assert found == {"plain": 3, "asked": 2, "unknown": None}


def test_a_table_holds_its_figures_in_the_order_of_the_fields():
    assert list(figures_of(Declared)) == ["plain", "asked", "unknown", "read"]
    assert list(figures_of(Declared, "results")) == ["plain", "unknown"]


def test_the_reports_figures_by_hand():
    found = measured(SystemReport, ROWS, LABELS, 1)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["binary_accuracy"] == pytest.approx(2 / 3)
    assert found["sensitivity"] == pytest.approx(0.5)
    assert found["specificity"] == pytest.approx(1.0)
    assert found["nll"] == pytest.approx(-(math.log(0.8) + math.log(0.6) + math.log(0.1)) / 3)
    assert set(found) < set(SystemReport.model_fields)


def test_every_figure_stands_in_a_table_with_a_title_of_its_own():
    for table in ("results", "probabilities", "consistency", "localization"):
        titles = [each.title for each in figures_of(SystemReport, table).values()]
        assert len(titles) >= 4
        assert len(set(titles)) == len(titles)
