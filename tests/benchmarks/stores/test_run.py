"""Stores side by side: what is drawn, who is asked what, and the page's words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks.stores import report
from benchmarks.stores.run import REFERENCE, _ask, drawn
from jomed_app.retrieval.stores.faiss_file import FaissStore
from jomed_app.retrieval.stores.protocol import NO_ROWS

AROUND = np.eye(8, dtype=np.float32)[:3]


def test_rows_are_of_norm_1_near_one_of_the_given_and_the_same_again():
    rows = drawn(AROUND, 200, 0)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert ((rows @ AROUND.T).max(axis=1) > 0.8).all(), "noise of half a length"
    np.testing.assert_array_equal(rows, drawn(AROUND, 200, 0))
    assert not np.array_equal(rows, drawn(AROUND, 200, 1))


class Half(FaissStore):
    """Finds every second of the best."""

    def search(self, vector, k, exclude_rows=NO_ROWS):
        rows, scores = super().search(vector, 2 * k, exclude_rows)
        return rows[::2], scores[::2]


def test_recall_is_counted_against_comparing_every_row():
    stores = {REFERENCE: FaissStore(8), "half": Half(8)}
    for store in stores.values():
        store.add(drawn(AROUND, 300, 0))
    found = _ask(stores, drawn(AROUND, 6, 1), NO_ROWS)
    assert found[REFERENCE]["recall"] == 1.0
    assert found["half"]["recall"] == pytest.approx(0.5)
    assert found["half"]["queries"] == 6
    assert found["half"]["p99_ms"] >= found["half"]["p50_ms"] > 0


def test_the_page_says_what_was_measured():
    asked = {"recall": 0.9876, "p50_ms": 1.234, "p99_ms": 5.678, "queries": 7}
    line = {
        "store": "faiss, graph", "rows": 10_000, "build_s": 2.5, "adds_per_s": 1234.0,
        "kept_1": asked, "kept_0.5": asked | {"queries": 3}, "kept_0.1": asked | {"queries": 3},
    }  # fmt: skip
    result = {"hardware": "here", "commit": "abc", "dim": 8, "around": 3, "noise": 0.5}
    text = report.page(result | {"lines": [line]}, "No bundle takes part.")
    assert re.search(r"10,000 \| +every case", text)
    assert "0.988" in text
    assert "1.23" in text
    assert "7 where every case may be found, 3 where some are left out" in text
    assert re.search(r"\b1234\b", text)
