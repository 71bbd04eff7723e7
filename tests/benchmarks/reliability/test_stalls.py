"""Waiting beside files that hang: counted by turns, and the app's decoders do as they are told."""

from __future__ import annotations

import importlib
import time
from types import SimpleNamespace

import pytest

import app
from benchmarks.reliability import stalling, stalls
from benchmarks.reliability.page import page
from benchmarks.reliability.records import keep
from benchmarks.reliability.soak import Asked, without_timings
from benchmarks.reliability.visitors import RefusedError
from jomed_app.errors import DecodingEndedError
from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import DecodeLimits, DecoderPool, door
from tests.imaging.datasets import dicom_bytes, gradient

RIGHT = {"final": "a", "timings_ms": {"total": 1.0}}


class FakeVisitor:
    """Hostile files are refused after a while; the fifth case of all is answered wrongly."""

    asked = 0

    def __init__(self, url, address):
        assert url == "here"
        self.address = address

    def ask(self, content):
        if content == stalling.STALL:
            assert self.address == stalls.HOSTILE
            time.sleep(0.02)
            raise RefusedError("a file must decode within 10 s")
        assert self.address == stalls.OTHER
        type(self).asked += 1
        time.sleep(0.05)
        return RIGHT | {"final": "b"} if self.asked == 5 else RIGHT

    def leave(self):
        pass


@pytest.fixture
def values(monkeypatch):
    monkeypatch.setattr(stalls, "ApiVisitor", FakeVisitor)
    monkeypatch.setattr(stalls, "SETTLE_S", 0.0)
    monkeypatch.setattr(FakeVisitor, "asked", 0)
    asked = [Asked(b"case", without_timings(RIGHT))]
    return stalls.measure(SimpleNamespace(url="here"), asked, [0, 2], turns=2, answers=3)


def test_answers_are_counted_beside_so_many_hostile_files(values):
    alone, beside = values["hanging"]["0"], values["hanging"]["2"]
    assert (alone["answers"], beside["answers"]) == (6, 6)
    assert (alone["wrong"], beside["wrong"]) == (0, 1)  # the first case of all warms
    assert alone["hostile_refused"] == 0
    assert beside["hostile_refused"] >= 4
    assert 0.05 <= alone["seconds_median"] <= alone["seconds_p95"] <= alone["seconds_most"]


def test_the_page_says_how_long_and_what_was_wrong(values, tmp_path):
    one = values["hanging"]["0"] | {"seconds_median": 0.5, "seconds_p95": 1.0, "seconds_most": 2.5}
    values["hanging"]["0"]["seconds_median"] = 0.25
    keep("stalls", {**values, "hanging": {**values["hanging"], "1": one}, "goal_s": 2.0}, tmp_path)
    said = page(tmp_path)
    assert "6 answers: 0.50 s, 1.00 s, 2.50 s; 2.00 times" in said
    assert "goal 2 s missed" in said
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in said.splitlines()]
    assert ["answers that are not those of the engine alone", "18", "1"] in rows


def test_the_apps_decoders_hang_on_a_file_that_asks_for_it(monkeypatch):
    monkeypatch.setattr(door, "DecoderPool", DecoderPool)  # put back afterwards
    monkeypatch.setattr(app, "main", lambda: 7)
    assert stalling.main() == 7
    module, _, name = stalling.READER.rpartition(".")
    assert getattr(importlib.import_module(module), name) is stalling.read
    data = dicom_bytes(gradient())
    assert stalling.read(data).info == read_image(data).info
    with door.DecoderPool(limits=DecodeLimits(seconds=1.0)) as pool:
        assert pool.read_image(data).info == read_image(data).info
        with pytest.raises(DecodingEndedError, match="must decode within 1 s"):
            pool.read_image(stalling.STALL)
