"""Number types side by side: how far two runs lie apart, and the page that says so."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.experiments.number_types import run as number_types
from benchmarks.experiments.number_types.compare import compare
from benchmarks.experiments.number_types.report import page
from benchmarks.experiments.number_types.run import answer_all, giga_flops, processor, real_images
from jomed_app.imaging import read_image
from jomed_app.types import (
    BoxResult,
    CandidateResult,
    Consistency,
    ConsistencyState,
    FinalResult,
    InputInfo,
    Result,
    Versions,
)
from tests.markdown_tables import unpadded
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png


def candidate(name):
    return CandidateResult(
        rank=1,
        candidate_id=name,
        heads=("image",),
        retriever_score=0.5,
        weight=0.5,
        similarity_percentile=50,
        label="benign",
        passage="",
    )


def result(rows=9, malignant=0.25, names=("x", "y"), edge=10.0, state="consistent"):
    """One image's result; with `malignant=None` it was refused."""
    shares = {} if malignant is None else {"malignant": malignant, "benign": 1 - malignant}
    boxes = [] if edge is None else [BoxResult(x0=0, y0=0, x1=edge, y1=10, score=0.9, label="m")]
    return Result(
        versions=Versions(app="0", bundle="b 5 (c)", index="i"),
        input=InputInfo(format="png", rows=rows, columns=9, photometric="L"),
        question="?",
        candidates=tuple(map(candidate, names)),
        final=FinalResult(
            prediction=max(shares, key=lambda label: shares[label], default=None),
            probabilities=shares,
        ),
        consistency=Consistency(state=ConsistencyState(state)),
        boxes=tuple(boxes),
    )


def test_equal_runs_do_not_differ():
    same = [result(9), result(10, 0.75)]
    found = compare(same, same)
    assert (found.images, found.largest, found.mean, found.farthest_px) == (2, 0, 0, 0)
    assert found.diagnoses == found.states == found.candidates == found.boxes == 0


def test_what_changed_is_counted_image_by_image():
    ours = [result(9), result(10, 0.25), result(11), result(12, None, (), None, "abstain")]
    theirs = [
        result(9, 0.3, ("y", "x"), 10.25),  # the same candidates in another order, the same box
        result(10, 0.75, ("x", "z"), 8.0, "mixed"),
        result(11, 0.25, edge=None),
        result(12, 0.5, ()),
    ]
    found = compare(ours, theirs)
    assert found.images == 3, "one of them was refused"
    assert found.largest == pytest.approx(0.5)
    assert found.mean == pytest.approx((0.05 + 0.5 + 0.0) / 3)
    assert (found.diagnoses, found.states, found.candidates) == (2, 2, 1)
    assert found.boxes == 3, "one is smaller, one went, one came"
    assert found.farthest_px == pytest.approx(2.0)


def test_other_images_or_no_answer_cannot_be_compared():
    with pytest.raises(ValueError, match="same images in the same order"):
        compare([result(9)], [result(10)])
    with pytest.raises(ValueError, match="answered by both runs, found none"):
        compare([result(9, None)], [result(9)])


def test_images_are_answered_in_a_precision_with_some_threads(tiny_bundle, tiny_index):
    before, images = torch.get_num_threads(), [read_image(simulated_png(FIRST_FRESH_SEED))]
    (answered,) = answer_all(tiny_bundle, tiny_index, images, "bf16", before + 1)
    assert answered.input.rows == images[0].info.rows
    assert (answered.versions.precision, answered.versions.threads) == ("bf16", before + 1)
    assert torch.get_num_threads() == before


def test_the_product_is_timed_and_the_processor_named():
    assert 0 < giga_flops(torch.float32) < 1e5
    assert processor().endswith(")")


def test_images_are_drawn_by_seed_and_in_order(real_data):
    first, again = ([each.sha256 for each in real_images(real_data, 3, 1)] for _ in range(2))
    assert first == again
    assert len(set(first)) == 3
    assert first != [each.sha256 for each in real_images(real_data, 3, 2)]


def test_the_page_says_what_was_measured(monkeypatch, tiny_bundle, tiny_index, tmp_path):
    kept = {}
    monkeypatch.setattr(number_types, "WAYS", {"fp32": ("fp32", 1), "bf16": ("bf16", 1)})
    monkeypatch.setattr(number_types, "COMPARED", (("bf16", "fp32"),))
    png = [read_image(simulated_png(FIRST_FRESH_SEED + seed)) for seed in range(4)]
    monkeypatch.setattr(number_types, "real_images", lambda data, count, seed: iter(png))
    monkeypatch.setattr(
        number_types, "publish", lambda name, values, measured: kept.update({name: values})
    )
    words = ["--data", str(tmp_path), "--bundle", str(tiny_bundle), "--index", str(tiny_index)]
    assert number_types.main(words) == 0
    values = json.loads(json.dumps(kept["number_types"]))
    (row,) = values["differences"]
    assert 0 < row["largest"] < 0.5
    text = unpadded(page(values, "Measured with bundle 1."))
    assert "Measured with bundle 1. Research demo, not a medical device." in text
    assert f"| bf16 | fp32 | {row['images']} | {row['largest']:.2g} |" in text
    assert "A product of 256 x 576 x 1536 ran at " in text
