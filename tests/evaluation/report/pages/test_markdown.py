"""Tables and templates: what comes from data breaks neither the table nor the page."""

from __future__ import annotations

import math

import pytest
from jinja2 import UndefinedError

from jomed_app.evaluation.report.pages.markdown import (
    NOTHING,
    fill,
    mean_and_spread,
    number,
    table,
    with_range,
)


def test_words_stand_on_the_left_and_figures_on_the_right():
    header, rule, row = table(["system", "task", "n"], [["rag", "breast", 7]], words=(0, 1)).split(
        "\n"
    )
    assert [cell.strip() for cell in header.strip("|").split("|")] == ["system", "task", "n"]
    assert [cell.endswith(":") for cell in rule.strip("|").split("|")] == [False, False, True]
    assert [cell.strip() for cell in row.strip("|").split("|")] == ["rag", "breast", "7"]


def test_figures_stay_the_text_that_they_are():
    assert "| 0.500 |" in table(["a", "b"], [["x", "0.500"]]).replace("  ", " ")


def test_bars_tags_and_line_breaks_do_not_break_a_table():
    text = table(["a"], [["x|y"], ["<b>&"], ["two\nlines"]])
    assert "x\\|y" in text
    assert "&lt;b&gt;&amp;" in text
    assert "two lines" in text


@pytest.mark.parametrize("rows", [[], [["one"]], [["one", "two", "three"]]])
def test_a_table_that_does_not_fit_its_header_is_refused(rows):
    with pytest.raises(ValueError, match="a table of 2 columns needs one row or more of as many"):
        table(["a", "b"], rows)


def test_figures_as_text():
    assert number(0.12345) == "0.123"
    assert number(0.5, 1, "+") == "+0.5"
    assert number(None) == number(math.nan) == NOTHING
    assert with_range(0.5, (0.25, 0.75)) == "0.500 [0.250, 0.750]"
    assert with_range(-0.01, (-0.02, 0.0), 2, "+") == "-0.01 [-0.02, +0.00]"
    assert with_range(0.5, None) == "0.500"
    assert with_range(None, (0.0, 1.0)) == with_range(math.nan, (0.0, 1.0)) == NOTHING


def test_a_spread_needs_two_values():
    assert mean_and_spread([0.1, 0.3]) == "0.200 ± 0.1414"
    assert mean_and_spread([0.1, 0.1]) == "0.100, all equal"
    assert mean_and_spread([0.1, None]) == "0.100"
    assert mean_and_spread([]) == NOTHING


def test_a_template_escapes_text_and_keeps_tables(tmp_path):
    template = tmp_path / "page.md.jinja"
    template.write_text("# {{ name }}\n\n{{ figures }}\n\n\n")
    page = fill(template, name="a<b>", figures=table(["x > y"], [["1"]]))
    assert page.startswith("# a&lt;b&gt;\n\n| x &gt; y ")
    assert page.endswith("|\n")
    with pytest.raises(UndefinedError, match="figures"):
        fill(template, name="a")
