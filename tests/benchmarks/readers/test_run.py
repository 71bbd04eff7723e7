"""Readers beside the plain loop, and in fewer bits: what is measured, and what the page says."""

from __future__ import annotations

import pytest

from benchmarks.readers.cases import LABELS, QUESTION, candidates, pictures, reader_of
from benchmarks.readers.loop import generate_each
from benchmarks.readers.report import page
from benchmarks.readers.run import measure

KINDS = {"hardware": "a processor", "threads": 1, "torch": "2", "transformers": "5"}
HEAD = KINDS | {"bf16": [], "commit": "abc", "k": 2}


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    return measure(tmp_path_factory.mktemp("models"), ["llava15"], 1, 0, 2)


def test_all_precisions_keep_to_the_plain_loop(values):
    found = {each["precision"]: each for each in values["precisions"]}
    assert set(found) == {"fp32", "bf16", "nf4", "int8"}
    assert found["fp32"]["from_fp32"] == 0
    assert found["fp32"]["from_plain_loop"] < 1e-4
    assert max(each["from_plain_loop"] for each in found.values()) < 0.1
    assert 0 < found["bf16"]["from_fp32"] < found["nf4"]["from_fp32"]
    assert found["nf4"]["four_bit_layers"] == 14, "seven layers of each of two blocks"


def test_the_plain_loop_generates_once_a_candidate(tmp_path, monkeypatch):
    reader = reader_of("llava15", tmp_path, "fp32")
    images = pictures(0, 3)
    query, *others = reader.encode(images)
    rows = [reader.writer.beside(query, QUESTION, each) for each in candidates(reader, others)]
    usual, said = reader.model.generate, []
    monkeypatch.setattr(
        reader.model, "generate", lambda **given: said.append(usual(**given)) or said[-1]
    )
    generate_each(reader, rows, [(images[0], each) for each in images[1:]])
    longest = max(len(reader.writer.answer(each, complete=True)) for each in LABELS)
    assert [each.shape[1] for each in said] == [len(row.ids) + longest for row in rows]


def test_the_page_says_what_reaches_the_goal_and_what_does_not(values):
    (time,) = values["times"]
    assert 0 < time["ours_held_ms"] < time["ours_ms"]
    fast, slow = time | {"ratio_held": 2.5}, time | {"ratio_held": 1.5, "precision": "bf16"}
    told = page(HEAD | values | {"times": [fast]}, "Weights are random.")
    assert "All reach it." in told
    assert "no bf16 instructions" in told
    told = page(HEAD | values | {"times": [fast, slow]}, "Weights are random.")
    assert "Below it: llava15 in bf16." in told
