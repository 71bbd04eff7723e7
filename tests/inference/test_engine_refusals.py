from __future__ import annotations

import numpy as np
import pytest

from jomed_app.imaging import read_image
from jomed_app.inference.checks import Refusal, refusal
from jomed_app.types import Check, ChecksDone, Completed, ConsistencyState, FinalReady
from tests.tiny_bundle import FIRST_FRESH_SEED, png_bytes, simulated_png


@pytest.fixture(scope="module")
def query():
    return read_image(simulated_png(FIRST_FRESH_SEED))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((96, 120), 90, dtype=np.uint8), "cannot be read: Contrast"),
        (
            np.random.default_rng(0).integers(0, 256, (96, 120), dtype=np.uint8),
            "does not look like a breast ultrasound image",
        ),
    ],
    ids=["blank", "foreign"],
)
def test_what_cannot_be_read_is_refused(tiny_engine, image, words):
    events = list(tiny_engine.run(read_image(png_bytes(image))))
    assert [type(event) for event in events] == [ChecksDone, FinalReady, Completed]
    result = events[-1].result
    assert words in result.final.reason
    assert result.final.abstained
    assert result.consistency.state is ConsistencyState.ABSTAIN
    assert (result.candidates, result.boxes, result.findings, result.report) == ((), (), {}, "")
    assert not all(check.passed for check in result.input.checks)
    assert tiny_engine.recompute(result, ()) == result


def test_a_refusal_names_the_failed_check(tiny_engine, query):
    info = query.info.model_copy(update={"checks": (check("size", passed=False),)})
    assert refusal(tiny_engine.task, info) is None, "a small image is read all the same"
    info = info.model_copy(update={"checks": (check("domain", passed=False),)})
    assert refusal(tiny_engine.task, info) == Refusal(
        "This does not look like a breast ultrasound image: of domain. Use an image of that kind.",
        asks=("domain",),
    )


def test_who_goes_on_gets_an_answer_that_says_so(tiny_engine):
    noise = np.random.default_rng(0).integers(0, 256, (96, 120), dtype=np.uint8)
    record = read_image(png_bytes(noise))
    asked = list(tiny_engine.run(record))[-1].result
    assert "domain" in asked.final.asks
    events = list(tiny_engine.run(record, anyway=True))
    result = events[-1].result
    assert result.candidates
    assert result.final.asks == ()
    assert result.input.overruled == asked.final.asks
    assert events[0].info.overruled == asked.final.asks, "said before anything is shown"


def test_nobody_goes_past_a_blank_image(tiny_engine):
    blank = read_image(png_bytes(np.full((96, 120), 90, dtype=np.uint8)))
    result = list(tiny_engine.run(blank, anyway=True))[-1].result
    assert result.final.abstained
    assert result.final.asks == ()


def test_a_good_image_is_answered_alike_with_and_without_the_wish_to_go_on(tiny_engine, query):
    plain, anyway = (list(tiny_engine.run(query, anyway=wish))[-1].result for wish in (False, True))
    assert plain.input.overruled == anyway.input.overruled == ()
    assert plain.final == anyway.final
    assert plain.boxes == anyway.boxes


def check(name: str, *, passed: bool) -> Check:
    return Check(name=name, passed=passed, message=f"of {name}")
