"""Threads that share a reader find what one finds alone, bit for bit."""

from __future__ import annotations

import pytest

from tests.models.reader.vlm.conftest import QUESTION
from tests.threads import at_once

ANSWERS = ["benign", "malignant"]


def findings(reader, pictures, *, map_first):
    """All that a reader is asked of a case, three times over."""
    query, *others = reader.encode(pictures)
    shown = [reader.candidate(each, "benign", "Oval.") for each in others]
    found = []
    for _ in range(3):
        heat = reader.attend(query, QUESTION, "benign") if map_first else None
        reading = reader.read(query, QUESTION, shown)
        scores, said = reader.score(reading, ANSWERS), reader.generate(reading, 3)
        heat = reader.attend(query, QUESTION, "benign") if heat is None else heat
        found.append((scores.tolist(), said, heat.tolist()))
    return found


# Deepstack and positions in three axes; a sliding window; an image beside a copy of itself.
@pytest.mark.parametrize("name", ["qwen3_vl", "gemma3", "llava_onevision"])
def test_four_threads_find_what_one_finds(load_tiny, pictures, name):
    alone = findings(load_tiny(name), pictures, map_first=False)
    assert alone[0] == alone[1] == alone[2]
    shared = load_tiny(name)
    threads = at_once(lambda number: findings(shared, pictures, map_first=number % 2 == 0))
    assert threads == [alone] * 4


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "nf4", "int8"])
def test_threads_find_alike_in_every_precision(load_tiny, family, pictures, precision):
    alone = load_tiny(family, precision=precision)
    alone.prepare()
    shared = load_tiny(family, precision=precision)
    shared.prepare()
    threads = at_once(lambda _: findings(shared, pictures, map_first=False))
    assert threads == [findings(alone, pictures, map_first=False)] * 4
