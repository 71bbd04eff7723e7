"""Candidates held ready: each is looked at once."""

from __future__ import annotations

import pytest
import torch

from jomed_app.inference import candidate_cache as module
from jomed_app.inference.candidate_cache import CandidateCache


@pytest.fixture
def seen(monkeypatch, tiny_engine):
    """How many images each call encodes."""
    counts = []
    encode = tiny_engine.reader.encode

    def counting(images):
        counts.append(len(images))
        return encode(images)

    monkeypatch.setattr(tiny_engine.reader, "encode", counting)
    return counts


@pytest.fixture
def cache(tiny_engine):
    return CandidateCache.of_index(tiny_engine.reader, tiny_engine.index)


def test_a_candidate_is_looked_at_once(cache, tiny_engine, seen):
    first, second, third = tiny_engine.index.ids[:3]
    held = cache.inputs([first, second])
    again = cache.inputs([second, third, first])
    assert seen == [2, 1]
    assert again[0] is held[1]
    assert again[2] is held[0]


def test_candidates_come_as_asked_with_label_and_passage(cache, tiny_engine):
    ids = list(reversed(tiny_engine.index.ids[:4]))
    for each, found in zip(ids, cache.inputs(ids), strict=True):
        record = tiny_engine.candidate(each)
        assert (found.label, found.passage) == (record.label, record.passage)


def test_batches_change_nothing(cache, tiny_engine, seen, monkeypatch):
    monkeypatch.setattr(module, "BATCH_SIZE", 2)
    ids = tiny_engine.index.ids[:5]
    held = cache.inputs(ids)
    assert seen == [2, 2, 1]
    whole = tiny_engine.reader.encode([tiny_engine.index.image(each) for each in ids])
    for found, encoding in zip(held, whole, strict=True):
        expected = tiny_engine.reader.pool_features(encoding.features)
        torch.testing.assert_close(found.features, expected, atol=1e-4, rtol=1e-3)


def test_warming_fills_the_cache(cache, tiny_engine, seen):
    assert cache.warm(3) == 3
    assert cache.warm() == len(tiny_engine.index) == 12
    assert cache.warm() == 12
    assert sum(seen) == 12


def test_warming_can_be_stopped_between_batches(cache, seen, monkeypatch):
    monkeypatch.setattr(module, "BATCH_SIZE", 2)
    answers = iter([False, False, True])
    assert cache.warm(cancel=lambda: next(answers)) == 4
    assert seen == [2, 2]


def test_what_was_not_asked_for_longest_is_dropped(cache, tiny_engine, seen, monkeypatch):
    first, second, third = tiny_engine.index.ids[:3]
    each = tiny_engine.reader.num_bytes(cache.inputs([first])[0])
    monkeypatch.setattr(module, "MOST_BYTES", 2 * each)
    cache.inputs([second])
    cache.inputs([first, third])
    cache.inputs([first, third])
    assert seen == [1, 1, 1]
    cache.inputs([second])
    assert seen == [1, 1, 1, 1]


def test_more_than_fits_is_read_all_the_same(cache, tiny_engine, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    ids = tiny_engine.index.ids[:4]
    assert [each.passage for each in cache.inputs(ids)] == [
        tiny_engine.candidate(each).passage for each in ids
    ]
