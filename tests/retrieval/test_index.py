from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError, IndexMismatchError, RecordError
from jomed_app.imaging import read_image
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import HEADS, read_manifest
from jomed_app.types import Head

Corpus = tuple[Path, list[CaseRecord]]
INDEX_FILES = [
    "manifest.json",
    "image.faiss",
    "text.faiss",
    "candidates.parquet",
    "queries.npz",
    "thumbs/thumbs.arrow",
]


def random_vector(seed: int, dim: int) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).normal(size=dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def brute_force(
    index: CandidateIndex, vector: NDArray[np.float32], head: Head, keep: set[str]
) -> list[tuple[float, str]]:
    scores = index.vectors(head) @ vector
    pairs = zip(scores.tolist(), index.ids, strict=True)
    return sorted((-score, name) for score, name in pairs if name in keep)


def test_the_files_are_exactly_these(index_folder: Path) -> None:
    found = {p.relative_to(index_folder).as_posix() for p in index_folder.rglob("*") if p.is_file()}
    assert found == set(INDEX_FILES)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    head=st.sampled_from(HEADS),
    k=st.integers(1, 30),
    ids=st.frozensets(st.integers(0, 25).map("c{:03d}".format)),
    groups=st.frozensets(st.sampled_from(["twins", "patient", "", "unknown"])),
)
def test_search_equals_brute_force_and_exclusions_hold(
    index: CandidateIndex,
    seed: int,
    head: Head,
    k: int,
    ids: frozenset[str],
    groups: frozenset[str],
) -> None:
    vector = random_vector(seed, index.info.dim)
    keep = {
        name
        for name in index.ids
        if name not in ids and (index.candidate(name).group or None) not in groups
    }
    expected = brute_force(index, vector, head, keep)[:k]
    hits = index.search(vector, head, k, ids, groups)
    assert [hit.candidate_id for hit in hits] == [name for _, name in expected]
    np.testing.assert_allclose(
        [hit.retriever_score for hit in hits], [-score for score, _ in expected], atol=1e-6
    )
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert all(hit.heads == (head,) and hit.scores == {head: hit.retriever_score} for hit in hits)


@settings(max_examples=60, deadline=None)
@given(head=st.sampled_from(HEADS), scores=st.lists(st.floats(-2, 2), min_size=2, max_size=2))
def test_percentile_is_monotone_within_0_and_100(
    index: CandidateIndex, head: Head, scores: list[float]
) -> None:
    low, high = (index.percentile(score, head) for score in sorted(scores))
    assert 0 <= low <= high <= 100


@pytest.mark.parametrize("head", HEADS)
def test_percentile_is_the_share_of_pairs_less_similar(
    index: CandidateIndex, corpus: Corpus, encoder: object, head: Head
) -> None:
    folder, records = corpus
    scores = []
    for record in records:
        image = read_image(folder / record.image).model_input
        query = encoder.encode_query(image)[head]
        for other, vector in zip(index.ids, index.vectors(head), strict=True):
            group = index.candidate(other).group
            if other != record.case_id and not (group and group == record.group):
                scores.append(float(query @ vector))
    for score in np.quantile(scores, [0.1, 0.5, 0.992]):
        share = 100 * np.mean(np.array(scores) < score)
        assert index.percentile(float(score), head) == pytest.approx(share, abs=0.3)
    assert index.percentile(max(scores) + 0.01, head) == 100.0
    assert index.percentile(min(scores) - 0.01, head) == 0.0


def test_an_image_finds_itself_and_its_file_is_known(index: CandidateIndex, corpus: Corpus) -> None:
    folder, records = corpus
    decoded = read_image(folder / records[5].image)
    (row,) = (n for n, name in enumerate(index.ids) if name == records[5].case_id)
    hit = index.search(index.vectors("image")[row], "image", 1)[0]
    assert (hit.candidate_id, hit.relative_score) == ("c005", 1.0)
    assert hit.retriever_score == pytest.approx(1.0, abs=1e-6)
    assert index.ids_of_image(decoded.sha256) == {"c005"}
    assert index.ids_of_image("0" * 64) == frozenset()
    assert index.image_sha256("c005") == decoded.sha256


def test_records_come_back_equal(index: CandidateIndex, corpus: Corpus) -> None:
    _, records = corpus
    assert [index.candidate(record.case_id) for record in records] == records
    assert len(index) == 24
    assert index.labels == ("benign", "malignant", "normal")
    assert index.info.labels == {"benign": 8, "malignant": 8, "normal": 8}


def test_thumbnails_are_small_faithful_and_carry_their_boxes(
    index: CandidateIndex, corpus: Corpus
) -> None:
    folder, records = corpus
    for record in records[:6]:
        thumb = index.image(record.case_id)
        assert thumb.dtype == np.uint8
        factor = min(1.0, 256 / max(record.rows, record.columns))
        assert thumb.shape == (
            round(record.rows * factor),
            round(record.columns * factor),
            3,
        )
        original = read_image(folder / record.image).model_input
        assert abs(float(thumb.mean()) - float(original.mean())) < 2


def test_counter_case_is_the_nearest_of_another_label(index: CandidateIndex) -> None:
    for seed, label in enumerate(index.labels * 3):
        vector = random_vector(seed, index.info.dim)
        others = {name for name in index.ids if index.candidate(name).label != label}
        nearest = brute_force(index, vector, "image", others)
        hit = index.nearest_other_label(vector, "image", label)
        assert hit is not None
        assert hit.candidate_id == nearest[0][1]
        second = index.nearest_other_label(vector, "image", label, {nearest[0][1]})
        assert second is not None
        assert second.candidate_id == nearest[1][1]


def test_counter_case_is_none_when_nothing_is_left(index: CandidateIndex) -> None:
    vector = random_vector(0, index.info.dim)
    others = [name for name in index.ids if index.candidate(name).label != "benign"]
    assert index.nearest_other_label(vector, "text", "benign", others) is None


def test_another_retriever_is_refused_with_the_way_out(index_folder: Path) -> None:
    sentence = (
        "index 'drawn' was built with retriever 'a1b2', loaded retriever is 'c3d4'. "
        "Rebuild: python -m jomed_app index build ..."
    )
    with pytest.raises(IndexMismatchError, match=f"^{re.escape(sentence)}$"):
        CandidateIndex.load(index_folder, "c3d4")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 0.5, 0.73, 0.999])
@pytest.mark.parametrize("name", INDEX_FILES)
def test_a_flipped_bit_in_any_file_is_found(
    index_copy: Path, flip_byte: Callable[[Path, float], None], name: str, share: float
) -> None:
    flip_byte(index_copy / name, share)
    with pytest.raises(IndexMismatchError, match="must match its manifest"):
        CandidateIndex.load(index_copy, "a1b2")


def test_bytes_all_over_a_manifest_count(
    index_copy: Path, flip_byte: Callable[[Path, float], None]
) -> None:
    path = index_copy / "manifest.json"
    intact = path.read_bytes()
    for position in [*range(0, 400, 7), *range(len(intact) - 700, len(intact), 11)]:
        flip_byte(path, (position + 0.5) / len(intact))
        with pytest.raises(IndexMismatchError, match="manifest"):
            read_manifest(index_copy)
        path.write_bytes(intact)
    assert read_manifest(index_copy).name == "drawn"


def test_missing_and_extra_files_are_named(index_copy: Path) -> None:
    (index_copy / "notes.txt").write_text("x")
    with pytest.raises(IndexMismatchError, match=r"'notes\.txt' is not in the manifest\. Rebuild"):
        CandidateIndex.load(index_copy, "a1b2")
    (index_copy / "notes.txt").unlink()
    (index_copy / "text.faiss").unlink()
    with pytest.raises(IndexMismatchError, match=r"'text\.faiss' is missing\. Rebuild"):
        CandidateIndex.load(index_copy, "a1b2")


def test_no_folder_and_no_manifest_are_clear(tmp_path: Path) -> None:
    with pytest.raises(IndexMismatchError, match="must be a folder, found none at 'nowhere'"):
        CandidateIndex.load(tmp_path / "nowhere", "a1b2")
    with pytest.raises(IndexMismatchError, match=r"'manifest\.json' is missing"):
        CandidateIndex.load(tmp_path, "a1b2")


def test_wrong_queries_are_refused(index: CandidateIndex) -> None:
    good = random_vector(0, index.info.dim)
    with pytest.raises(ConfigError, match="at least 1 candidate, found k = 0"):
        index.search(good, "image", 0)
    for bad in (good[:-1], good[None], np.full_like(good, np.nan)):
        with pytest.raises(IndexMismatchError, match="needs a query vector of 16 finite numbers"):
            index.search(bad, "image", 1)
    for ask in (index.candidate, index.image, index.image_sha256):
        with pytest.raises(RecordError, match="found no 'c999'"):
            ask("c999")
