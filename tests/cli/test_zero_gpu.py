"""A case on a GPU that is lent: declared, pickled there and back; without the package, as it is."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import pytest

from jomed_app.cli import zero_gpu
from jomed_app.cli.zero_gpu import LentEngine, is_zero_gpu, report_start
from jomed_app.errors import CancelledError, ImageError
from jomed_app.imaging import read_image
from jomed_app.types import Completed
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture(autouse=True)
def _looked_for_anew(monkeypatch):
    monkeypatch.delenv(zero_gpu.VARIABLE, raising=False)
    zero_gpu.spaces.cache_clear()
    yield
    zero_gpu.spaces.cache_clear()


@pytest.fixture
def lent(monkeypatch):
    """A package `spaces` that does to a function what the true one does: pickling, both ways."""
    seen = {"durations": [], "started": 0}

    def gpu(duration):
        seen["durations"].append(duration)

        def decorate(function):
            def handler(*given, **named):
                given, named = pickle.loads(pickle.dumps((given, named)))
                for each in function(*given, **named):
                    yield pickle.loads(pickle.dumps(each))

            return handler

        return decorate

    def startup():
        seen["started"] += 1

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    monkeypatch.setitem(sys.modules, "spaces.zero", SimpleNamespace(startup=startup))
    monkeypatch.setenv(zero_gpu.VARIABLE, "true")
    return seen


@pytest.fixture
def image():
    return read_image(png_bytes())


def test_without_the_package_the_same_events_come(monkeypatch, image):
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert not is_zero_gpu()
    report_start()
    plain, lent = FakeEngine(), LentEngine(FakeEngine(), 60)
    assert list(lent.run(image, retrieval="joint")) == list(plain.run(image))


def test_a_case_is_declared_with_its_seconds_and_comes_back_whole(lent, image):
    engine = FakeEngine()
    events = list(LentEngine(engine, 45).run(image, retrieval="joint"))
    assert lent["durations"] == [45]
    assert events == list(FakeEngine().run(image))
    assert isinstance(events[-1], Completed)
    assert engine.num_runs == 1


def test_the_space_is_told_once_what_was_declared(lent):
    assert is_zero_gpu()
    report_start()
    assert lent["started"] == 1


def test_a_sentence_for_the_visitor_comes_back(lent, image):
    engine = LentEngine(FakeEngine(fault=ImageError("an image must be one; use another")), 60)
    with pytest.raises(ImageError, match="use another"):
        list(engine.run(image, retrieval="joint"))


def test_a_wish_to_stop_is_asked_for_outside(lent, image):
    asked = []

    def cancel():
        asked.append(True)
        return len(asked) == 2

    events = LentEngine(FakeEngine(), 60).run(image, retrieval="joint", cancel=cancel)
    with pytest.raises(CancelledError, match="nothing was kept"):
        list(events)
    assert len(asked) == 2


def test_arithmetic_and_records_ask_for_no_gpu(lent, image):
    inner = FakeEngine()
    engine = LentEngine(inner, 60)
    result = list(engine.run(image, retrieval="joint"))[-1].result
    removed = {result.candidates[0].candidate_id}
    assert engine.recompute(result, removed) == inner.recompute(result, removed)
    assert engine.info is inner.info
    found = result.candidates[0].candidate_id
    assert engine.candidate(found) == inner.candidate(found)
