"""The released bundle goes on answering the example images as it did; only rounding may differ."""

from __future__ import annotations

import json

import pytest

from jomed_app.cli.artifacts import DEFAULT_BUNDLE
from tests.inference.recorded.record import ANSWERS, EXAMPLES, answer, released_engine

RECORDED = json.loads(ANSWERS.read_text(encoding="utf-8"))
CLOSE = 1e-3  # fp32 sums in another order on another processor; nats, px or probability

pytestmark = pytest.mark.skipif(
    not (DEFAULT_BUNDLE / "manifest.json").is_file(), reason="no bundle in assets/bundle"
)


@pytest.fixture(scope="module")
def engine():
    return released_engine()


def test_every_example_is_recorded():
    assert sorted(RECORDED) == sorted(path.stem for path in EXAMPLES.glob("*.png"))


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_the_answer_is_the_recorded_one(engine, name):
    assert_close(answer(engine, EXAMPLES / f"{name}.png"), RECORDED[name])


def assert_close(found, expected, place=""):
    """Compare nested values: numbers within rounding, all else exactly."""
    if isinstance(expected, dict):
        assert sorted(found) == sorted(expected), place
        for key, value in expected.items():
            assert_close(found[key], value, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, value in enumerate(expected):
            assert_close(found[number], value, f"{place}[{number}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=CLOSE, rel=CLOSE), place
    else:
        assert found == expected, place


def test_a_changed_answer_is_found():
    changed = json.loads(ANSWERS.read_text(encoding="utf-8"))
    first = next(iter(changed.values()))
    first["candidates"][0]["answer_log_likelihood"] += 0.01
    with pytest.raises(AssertionError, match="answer_log_likelihood"):
        assert_close(changed, RECORDED)
