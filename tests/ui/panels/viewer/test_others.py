"""The head of the similar cases: whose they are, whether any is similar, and the legend."""

from __future__ import annotations

import pytest

from jomed_app.ui import text
from jomed_app.ui.panels.viewer.others import Others
from jomed_app.ui.templates import render


@pytest.mark.parametrize("has_similar", [True, None])
def test_real_cases_need_no_explanation(has_similar):
    html = render(Others.of(is_simulated=False, count=624, has_similar=has_similar))
    assert "<p" not in html
    assert text.KNOWN_MEANS in html
    assert text.READ_MEANS in html


def test_a_simulated_collection_is_called_so_with_its_size():
    html = render(Others.of(is_simulated=True, count=1200, name="drawn (0a1b2c3d)"))
    assert "a program drew its 1,200 cases" in html


def test_a_collection_without_a_similar_case_says_so():
    html = render(Others.of(is_simulated=False, count=624, has_similar=False))
    assert "No similar case in this collection" in html


def test_a_collection_of_real_cases_is_named_without_its_hash():
    html = render(Others.of(is_simulated=False, count=1624, name="BUSI (all) (0a1b2c3d)"))
    assert "Searched: BUSI (all), 1,624 known cases." in html
    assert "Searched" not in render(Others.of(is_simulated=True, count=3, name="x (0a1b2c3d)"))
