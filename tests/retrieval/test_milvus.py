"""The optional store: the same hits, and a sentence where its address is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError
from jomed_app.retrieval.build import add_to_index, build_index
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import HEADS
from jomed_app.retrieval.search import find_candidates
from tests.retrieval.drawn import DrawnEncoder

Corpus = tuple[Path, list[CaseRecord]]


def test_an_index_kept_in_milvus_finds_the_same(
    corpus: Corpus, index: CandidateIndex, tmp_path: Path
) -> None:
    pytest.importorskip("pymilvus", reason="pymilvus is an optional extra")
    pytest.importorskip("milvus_lite", reason="milvus-lite is an optional extra")
    folder, records = corpus
    uri = str(tmp_path / "store.db")
    out = tmp_path / "shared"
    build_index(records[:20], folder, DrawnEncoder(), out, name="x", store="milvus", store_uri=uri)
    shared = add_to_index(out, records[20:], folder, DrawnEncoder())
    assert shared.store_uri == uri
    assert shared.info.store == "milvus"
    for row in range(0, 24, 5):
        query = {head: index.vectors(head)[row] for head in HEADS}
        expected = find_candidates(index, query, exclude_groups={"twins"})
        found = find_candidates(shared, query, exclude_groups={"twins"})
        assert [hit.candidate_id for hit in found] == [hit.candidate_id for hit in expected]
        assert [hit.heads for hit in found] == [hit.heads for hit in expected]


def test_milvus_needs_an_address(corpus: Corpus, tmp_path: Path) -> None:
    folder, records = corpus
    with pytest.raises(ConfigError, match="needs the address of a server or a local file"):
        build_index(records, folder, DrawnEncoder(), tmp_path / "out", name="x", store="milvus")
    assert not (tmp_path / "out").exists()
