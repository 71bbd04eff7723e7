"""Candidates held ready: each is looked at once."""

from __future__ import annotations

import pytest
import torch

from jomed_app.inference import candidate_cache as module
from jomed_app.inference.candidate_cache import CandidateShelf, encode_images
from jomed_app.inference.case_reader import CaseReader


@pytest.fixture
def seen(monkeypatch):
    """How many images each call encodes."""
    counts = []

    def counting(reader, images):
        counts.append(len(images))
        return encode_images(reader, images)

    monkeypatch.setattr(module, "encode_images", counting)
    return counts


@pytest.fixture
def shelf(tiny_engine):
    return CandidateShelf(CaseReader(tiny_engine.reader, tiny_engine.task), tiny_engine.index)


def test_a_candidate_is_looked_at_once(shelf, tiny_engine, seen):
    first, second, third = tiny_engine.index.ids[:3]
    held = shelf.inputs([first, second])
    again = shelf.inputs([second, third, first])
    assert seen == [2, 1]
    assert again[0] is held[1]
    assert again[2] is held[0]


def test_candidates_come_as_asked_with_label_and_passage(shelf, tiny_engine):
    ids = list(reversed(tiny_engine.index.ids[:4]))
    for each, found in zip(ids, shelf.inputs(ids), strict=True):
        record = tiny_engine.candidate(each)
        assert (found.label, found.passage) == (record.label, record.passage)


def test_batches_change_nothing(shelf, tiny_engine, seen, monkeypatch):
    monkeypatch.setattr(module, "BATCH_SIZE", 2)
    ids = tiny_engine.index.ids[:5]
    held = shelf.inputs(ids)
    assert seen == [2, 2, 1]
    whole = encode_images(tiny_engine.reader, [tiny_engine.index.image(each) for each in ids])
    for found, encoding in zip(held, whole, strict=True):
        expected = tiny_engine.reader.pool_features(encoding.features)
        torch.testing.assert_close(found.features, expected, atol=1e-4, rtol=1e-3)


def test_warming_fills_the_shelf(shelf, tiny_engine, seen):
    assert shelf.warm(3) == 3
    assert shelf.warm() == len(tiny_engine.index) == 12
    assert shelf.warm() == 12
    assert sum(seen) == 12
