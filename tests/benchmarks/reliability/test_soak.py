"""The soak's judgement by hand, and a short soak of the real app."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks import ROOT
from benchmarks.reliability import soak
from benchmarks.reliability.served import served
from benchmarks.reliability.soak import Asked, judge, without_timings

MINE = {"input": {"rows": 1}, "timings_ms": {"total": 3.0}}
THEIRS = {"input": {"rows": 2}, "timings_ms": {"total": 3.0}}
KNOWN = {without_timings(MINE), without_timings(THEIRS)}


def test_timings_do_not_count_and_nothing_else_is_left_out():
    later = MINE | {"timings_ms": {"total": 9.0}}
    assert without_timings(later) == without_timings(MINE)
    assert json.loads(without_timings(MINE))["input"] == {"rows": 1}


@pytest.mark.parametrize(
    ("told", "outcome"),
    [(MINE, "answered"), (THEIRS, "swapped"), ({"input": {"rows": 3}}, "differing")],
)
def test_an_answer_is_right_of_another_file_or_changed(told, outcome):
    assert judge(Asked(b"", without_timings(MINE)), told, KNOWN) == outcome


def test_an_answer_to_a_file_that_cannot_be_read_is_never_right():
    assert judge(Asked(b"", None, "no image"), MINE, KNOWN) == "swapped"


@pytest.mark.parametrize(
    ("sentence", "outcome"),
    [
        ("Not done. An image is required, found none", "refused"),
        ("Queue is full! Please try again.", "turned away"),
        ("429: too many requests", "turned away"),
        ("The upload did not arrive as one file", "lost"),
    ],
)
def test_a_refusal_is_the_right_one_a_busy_sign_or_a_loss(sentence, outcome):
    case = Asked(b"", None, "an image is required, found none")
    assert soak._refused(case, sentence)[0] == outcome


def test_every_tenth_file_cannot_be_read_and_all_differ():
    files = [soak._bad_file(n) if n % 10 == 9 else soak._file(n) for n in range(20)]
    assert max(Counter(files).values()) == 1


def test_of_a_few_visitors_nothing_is_lost_swapped_or_changed(tmp_path):
    asked = soak.prepare(10, ROOT / "assets" / "bundle", ROOT / "index" / "simulated")
    assert sum(each.result is None for each in asked) == 1
    with served(tmp_path, soak.app_settings(6)) as app:
        values = soak.soak(app, asked, users=6, seconds=8, pause_s=1.0)
    assert values["sent"] >= 6
    assert not values["lost"] + values["swapped"] + values["differing"], values["notes"]
    assert not values["turned_away"], values["notes"]
    assert values["answered_right"] >= 4
    assert not soak._uploads(tmp_path / "tmp")
