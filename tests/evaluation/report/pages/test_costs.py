"""The page of costs: a table per run."""

from __future__ import annotations

from jomed_app.evaluation.report.pages.costs import costs_page
from jomed_app.training.run.costs import RunCosts, StageCost
from tests.markdown_tables import unpadded

COST = StageCost(runs=1, wall_s=60, cpu_s=90, steps=5, items=2, peak_bytes=2**30)


def test_a_page_has_a_table_per_run():
    costs = RunCosts(cores=2, stages={"align": COST})
    page = unpadded(
        costs_page({"first": costs, "second": costs}, measured={"first": "Became bundle 9."})
    )
    assert "## first\n\n2 logical cores. Became bundle 9.\n\n| stage |" in page
    assert "## second\n\n2 logical cores.\n\n| stage |" in page
    assert page.count("| align | 1 | 0:01:00 | 0:01:30 | 5 | 2 | 1.00 |") == 2
