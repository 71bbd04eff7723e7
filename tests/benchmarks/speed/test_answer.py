"""Time and memory of one answer: both sides answer alike, and the page says what was measured."""

from __future__ import annotations

import json

import pytest

from benchmarks.speed.answer import PlainLoop, bundle_name, measure
from benchmarks.speed.report import STEPS, page
from jomed_app.inference.load import load_bundle
from jomed_app.retrieval.index import CandidateIndex
from tests.markdown_tables import unpadded
from tests.tiny_bundle import FIRST_FRESH_SEED, png_bytes, simulated_png

FIGURES = {"median": 80.0, "p95": 90.0}
RESULT = {
    "hardware": "a processor, 2 cores",
    "threads": 2,
    "torch": "2.13",
    "commit": "abc",
    "n": 12,
    "k": 4,
    "precision": "bfloat16",
    "ours_ms": dict.fromkeys(STEPS, FIGURES),
    "plain_loop_ms": {"median": 1234.0, "p95": 1300.0},
    "ratio": 15.43,
    "cold_start_s": 6.04,
    "peak_memory_gb": 1.078,
}


def test_both_sides_answer_the_same_queries(tiny_bundle, tiny_index):
    images = [simulated_png(FIRST_FRESH_SEED + place) for place in range(2)]
    values = measure(tiny_bundle, tiny_index, images, k=4)
    assert values["refused"] == 0
    medians = [values["ours_ms"][name]["median"] for name in STEPS]
    assert 0 < medians[0] < medians[1] <= medians[2]
    expected = values["plain_loop_ms"]["median"] / values["ours_ms"]["completed"]["median"]
    assert values["ratio"] == pytest.approx(expected, rel=0.05)


def test_nothing_is_measured_where_every_image_is_refused(tiny_bundle, tiny_index):
    import numpy as np

    blank = png_bytes(np.full((96, 120), 90, dtype=np.uint8))
    with pytest.raises(ValueError, match="must accept one image or more"):
        measure(tiny_bundle, tiny_index, [blank], k=4)


def test_the_plain_loop_generates_once_a_candidate(tiny_bundle, tiny_index):
    parts = load_bundle(tiny_bundle, "fp32")
    plain = PlainLoop(parts, CandidateIndex.load(tiny_index, parts.retriever.fingerprint), 4)
    png = simulated_png(FIRST_FRESH_SEED)
    texts = plain.answer(png)
    assert len(texts) == 4
    assert plain.answer(png) == texts
    assert plain.answer(simulated_png(FIRST_FRESH_SEED + 3)) != texts


def test_the_report_names_the_bundle_that_answered(tiny_bundle):
    version = json.loads((tiny_bundle / "manifest.json").read_text())["version"]
    assert bundle_name(tiny_bundle) == f"bundle {version}"


def test_the_page_holds_figures_and_goals():
    text = unpadded(page(RESULT, "Measured with bundle 9."))
    assert "do not edit. Measured with bundle 9." in text
    assert "| first candidates on screen | 80 | 90 |" in text
    assert "| plain loop: 4 x `generate`, fp32 | 1234 | 1300 |" in text
    assert "| plain loop / ours, end to end | 15.4 x | 8 x |" in text
    assert "| fresh process to first answer | 6.0 s | 8 s |" in text
    assert "| peak memory, index warm | 1.08 GB | 1.2 GB |" in text
