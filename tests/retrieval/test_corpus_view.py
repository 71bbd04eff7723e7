"""A corpus in memory is searched as one on disk: exact, ties by id, what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError, IndexMismatchError, RecordError
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.index import CandidateIndex


def record(name, label="benign", group=""):
    return CaseRecord(
        case_id=name, image="i", label=label, passage="", group=group, rows=8, columns=8
    )


VECTORS = np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8]], dtype=np.float32)


@pytest.fixture
def corpus():
    """Two cases alike, given in no order of their ids."""
    records = [
        record("d"), record("b", "normal"), record("a", group="p1"), record("c", "malignant", "p1")
    ]  # fmt: skip
    return CorpusView.of_vectors("four", records, {"image": VECTORS})


def ids(hits):
    return [hit.candidate_id for hit in hits]


def test_order_is_by_score_then_by_id(corpus):
    assert corpus.ids == ("a", "b", "c", "d")
    hits = corpus.search(VECTORS[0], "image", 4)
    assert ids(hits) == ["a", "d", "c", "b"]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert [hit.relative_score for hit in hits] == pytest.approx([1.0, 1.0, 0.6, 0.0])


def test_ids_groups_and_labels_are_left_out(corpus):
    query = VECTORS[0]
    assert ids(corpus.search(query, "image", 4, {"a", "unknown"})) == ["d", "c", "b"]
    assert ids(corpus.search(query, "image", 4, (), {"p1", ""})) == ["d", "b"]
    assert ids(corpus.search(query, "image", 4, (), (), {"benign"})) == ["c", "b"]
    assert corpus.others({"b"}, {"p1"}) == ("d",)
    assert corpus.nearest_other_label(query, "image", "benign").candidate_id == "c"
    assert corpus.nearest_other_label(query, "image", "benign", {"c"}, {"p1"}).candidate_id == "b"


def test_the_vectors_are_in_the_order_of_the_ids(corpus):
    np.testing.assert_array_equal(corpus.vectors("image"), VECTORS[[2, 1, 3, 0]])
    assert corpus.labels == ("benign", "malignant", "normal")
    assert len(corpus) == 4


def test_a_corpus_in_memory_finds_what_the_index_finds(tiny_engine):
    index = tiny_engine.index
    records = [index.candidate(each) for each in reversed(index.ids)]
    view = CorpusView.of_vectors(
        "copy", records, {head: index.vectors(head)[::-1] for head in ("image", "text")}
    )
    assert isinstance(index, CandidateIndex)
    for head in ("image", "text"):
        for query in index.vectors(head):
            assert view.search(query, head, 5) == index.search(query, head, 5)


def test_errors_say_what_was_required(corpus):
    with pytest.raises(ConfigError, match="at least 1 candidate, found k = 0"):
        corpus.search(VECTORS[0], "image", 0)
    with pytest.raises(IndexMismatchError, match=r"vector of 2 finite numbers, found shape \(3,\)"):
        corpus.search(np.ones(3, np.float32), "image", 1)
    with pytest.raises(RecordError, match="found no 'z'; take ids from its hits"):
        corpus.candidate("z")
