"""One scale of similarity: hand values, its floor, and what is left out of the measure."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.similarity import (
    FLOOR_SHARE,
    LEAST_MEASURED,
    NUM_MEASURED,
    SimilarityScale,
    likeness_of,
    measure_similarity,
)
from jomed_app.types import Head
from jomed_app.ui import text


def corpus_of(angles: list[float], groups: dict[int, str] | None = None) -> CorpusView:
    """Cases c000, c001, ... whose image vectors lie at these angles, degrees; texts do not help."""
    turned = np.radians(angles)
    rows = np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)
    records = [
        CaseRecord(
            case_id=f"c{number:03d}", image="i.png", label="x", passage="", rows=9, columns=9,
            group=(groups or {}).get(number, ""),
        )
        for number in range(len(angles))
    ]  # fmt: skip
    vectors: dict[Head, NDArray[np.float32]] = {"image": rows, "text": rows[::-1].copy()}
    return CorpusView.of_vectors("hand", records, vectors)


def at(angle: float) -> NDArray[np.float32]:
    turned = np.radians(angle)
    return np.array([np.cos(turned), np.sin(turned)], dtype=np.float32)


def test_the_percentile_is_the_share_of_pairs_below():
    scale = SimilarityScale(np.array([0.1, 0.2, 0.3, 0.4]), floor=0.25)
    found = [scale.percentile(score) for score in (-1, 0.15, 0.2, 0.35, 1)]
    assert found == [0, 25, 25, 75, 100]
    assert (scale.is_similar(0.25), scale.is_similar(0.24)) == (True, False)
    assert SimilarityScale(np.array([0.1]), floor=None).is_similar(0.9) is None


def test_three_cases_by_hand():
    """At 0, 60 and 90 degrees: products of pairs are 0.5, 0 and 0.866, each counted both ways."""
    scale = measure_similarity(corpus_of([0, 60, 90]))
    assert scale is not None
    expected = [0, 0, 0.5, 0.5, 3**0.5 / 2, 3**0.5 / 2]
    np.testing.assert_allclose(scale.pairs, expected, atol=1e-6)
    assert scale.floor is None, "three cases set no floor"


def test_the_floor_is_where_one_in_twenty_lies_below():
    """Cases in pairs 1 degree apart, 16 degrees from the next; two lone ones at 8 and 7 degrees."""
    angles = [16.0 * number + offset for number in range(19) for offset in (0.0, 1.0)]
    angles += [16.0 * 19, 16.0 * 19 + 7.0]
    scale = measure_similarity(corpus_of(angles))
    assert scale is not None
    assert scale.floor is not None
    nearest = np.sort([np.cos(np.radians(1.0))] * 38 + [np.cos(np.radians(7.0))] * 2)
    assert scale.floor == pytest.approx(float(np.quantile(nearest, FLOOR_SHARE)), abs=1e-6)
    assert scale.is_similar(float(np.cos(np.radians(8.0)))) is False
    assert scale.is_similar(float(np.cos(np.radians(0.5)))) is True


def test_a_group_is_not_similar_to_itself():
    twins = dict.fromkeys(range(20), "one patient")
    angles = [0.01 * number for number in range(20)] + [90.0 + number for number in range(20)]
    scale = measure_similarity(corpus_of(angles, twins))
    assert scale is not None
    assert scale.floor is not None
    assert scale.floor < 0.1, "the nearest of another group is at 90 degrees"
    assert measure_similarity(corpus_of([0, 1, 2], dict.fromkeys(range(3), "one"))) is None


def test_large_collections_are_measured_by_a_sample_that_is_always_the_same():
    rng = np.random.default_rng(0)
    corpus = corpus_of(rng.uniform(0, 360, NUM_MEASURED + 40).tolist())
    one, other = measure_similarity(corpus), measure_similarity(corpus)
    assert one is not None
    assert other is not None
    assert len(one.pairs) == NUM_MEASURED * (NUM_MEASURED - 1)
    np.testing.assert_array_equal(one.pairs, other.pairs)
    assert one.floor == other.floor


def test_a_case_found_by_text_is_placed_by_its_image_too():
    corpus = corpus_of([float(10 * number) for number in range(LEAST_MEASURED + 4)])
    scale = measure_similarity(corpus)
    found = likeness_of(corpus, scale, at(2.0), ["c000", "c009"])
    assert list(found.percentiles) == ["c000", "c009"]
    assert found.percentiles["c000"] > 90 > found.percentiles["c009"]
    assert found.has_similar is True
    far = likeness_of(corpus, scale, 0.1 * at(2.0), ["c000"])
    assert far.has_similar is False
    own = likeness_of(corpus, scale, at(0.0), ["c001"], own={"c000", "c001"})
    assert own.has_similar is False, "its own copies are not its nearest case"


def test_without_two_groups_nothing_is_claimed():
    corpus = corpus_of([0.0, 1.0], {0: "one", 1: "one"})
    found = likeness_of(corpus, measure_similarity(corpus), at(0), ["c000"])
    assert (found.percentiles, found.has_similar) == ({}, None)


def test_the_sentence_names_the_share_that_was_measured():
    assert f"{round(20 * (1 - FLOOR_SHARE))} of 20" in text.NO_SIMILAR


def test_an_index_measures_itself_once(index: CandidateIndex):
    assert index.similarity is index.similarity
    assert index.similarity is not None
    assert index.similarity.floor is not None
    np.testing.assert_array_equal(
        index.vectors_of("text", [index.ids[5], index.ids[2]]), index.vectors("text")[[5, 2]]
    )
