"""docs/reliability.md: made of the records, every kind has its rows, failures are not hidden."""

from __future__ import annotations

import json

import pytest

from benchmarks import ROOT
from benchmarks.reliability.page import CHAPTERS, page
from benchmarks.reliability.records import FOLDER, keep, load

SOAK = {
    "users": 50,
    "minutes": 30.0,
    "pause_s": 8.0,
    "sent": 100,
    "answered_right": 90,
    "refused_right": 4,
    "turned_away": 1,
    "lost": 2,
    "swapped": 1,
    "differing": 2,
    "uploads_left": 0,
    "memory_mb_settled": 900.0,
    "memory_mb_at_end": 945.0,
    "memory_growth": 0.05,
    "seconds_median": 1.0,
    "seconds_p95": 2.0,
}

FUZZ = {
    "seed": 0,
    "seconds": 10.0,
    "limits": {"hang_s": 5.0, "memory_mb": 1024},
    "inputs": 1000,
    "answered": 400,
    "refused": 600,
    "hangs": 1,
    "untyped": 0,
    "leaks": 0,
    "over_memory": 0,
    "slowest_s": 6.0,
    "peak_bytes": 100 << 20,
    "commit": "aaa",
    "hardware": "Old",
}


def test_the_page_is_that_of_the_records():
    assert (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8") == page(FOLDER)


def test_every_record_has_a_chapter():
    assert set(load(FOLDER)) <= set(CHAPTERS)


def test_what_failed_is_said(tmp_path):
    keep("soak", SOAK, tmp_path)
    said = page(tmp_path)
    rows = {line.split("|")[1].strip(): line.split("|")[3].strip() for line in said.splitlines()
            if line.startswith("|")}  # fmt: skip
    assert rows["answers lost"] == "2"
    assert rows["answers of another visitor's file"] == "1"
    assert rows["answers that differ from those given alone"] == "2"
    assert rows["memory of the server and its decoders, settled and at the end"] == "+5.0 %"
    assert "100, 94 as expected" in said
    assert "50 visitors for 30 minutes, 8 s between two files of one on average" in said


def test_runs_of_several_seeds_are_added_up(tmp_path):
    later = {**FUZZ, "seed": 1, "inputs": 500, "answered": 200, "refused": 300, "hangs": 0,
             "slowest_s": 2.0, "peak_bytes": 200 << 20, "commit": "bbb"}  # fmt: skip
    keep("fuzz", {**later, "earlier": [FUZZ]}, tmp_path)
    said = page(tmp_path)
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in said.splitlines()]
    assert ["a decode of more than 5 s of processor time", "1,500", "1"] in rows
    assert ["decoded, refused by a sentence", "600, 900", "–"] in rows
    assert ["time of the runs", "20 s", "–"] in rows
    assert ["slowest decode, most memory held", "6.0 s, 200 MiB", "–"] in rows
    assert "Old, commit aaa; Old, commit bbb" in said


def test_kinds_without_a_record_are_named(tmp_path):
    said = page(tmp_path)
    assert all(f"- {each.title}" in said for each in CHAPTERS.values())


def test_a_record_says_machine_and_commit(tmp_path):
    keep("soak", SOAK, tmp_path)
    record = load(tmp_path)["soak"]
    assert record["hardware"]
    assert record["commit"]


def test_a_record_under_another_name_is_refused(tmp_path):
    (tmp_path / "soak.json").write_text(json.dumps({"kind": "kills"}))
    with pytest.raises(ValueError, match=r"soak.json must be of kind 'soak'"):
        load(tmp_path)
