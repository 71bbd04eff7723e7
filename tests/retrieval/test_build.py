from __future__ import annotations

import errno
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from jomed_app import __version__
from jomed_app.data.records import CaseRecord
from jomed_app.errors import IndexMismatchError, RecordError, StorageError
from jomed_app.retrieval import write
from jomed_app.retrieval.build import add_to_index, build_index
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.manifest import HEADS
from jomed_app.retrieval.search import find_candidates
from jomed_app.storage import durable
from jomed_app.storage.sealing import hash_folder
from jomed_app.types import Head
from tests.retrieval.drawn import DrawnEncoder, draw_case

Corpus = tuple[Path, list[CaseRecord]]


class StoppedError(Exception):
    """Stands for a power cut."""


class StoppingEncoder(DrawnEncoder):
    """Breaks off after the first batch."""

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        if self.images_encoded:
            raise StoppedError
        return super().encode_images(images)


class LongEncoder(DrawnEncoder):
    """Forgets to normalize."""

    def encode_passages(self, passages: Sequence[str]) -> NDArray[np.float32]:
        return 2 * super().encode_passages(passages)


class OneHeadEncoder(DrawnEncoder):
    """Knows images only."""

    def encode_query(self, image: NDArray[np.uint8]) -> dict[Head, NDArray[np.float32]]:
        return {"image": super().encode_query(image)["image"]}


def test_the_manifest_says_what_the_index_is_made_of(index: CandidateIndex) -> None:
    info = index.info
    assert (info.name, info.encoder_fingerprint, info.dim, info.count) == ("drawn", "a1b2", 16, 24)
    assert (info.metric, info.normalization, info.store) == ("inner_product", "unit_rows", "faiss")
    assert info.app_version == __version__
    assert info.source == "24 cases; source: drawn; split: train"
    assert not info.simulated
    assert all(len(info.similarity_quantiles[head]) == 1001 for head in HEADS)
    assert all(sorted(values) == list(values) for values in info.similarity_quantiles.values())


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6))
def test_order_of_the_corpus_changes_no_byte(
    corpus: Corpus, index: CandidateIndex, tmp_path: Path, seed: int
) -> None:
    folder, records = corpus
    shuffled = random.Random(seed).sample(records, len(records))
    out = tmp_path / "shuffled"
    again = build_index(shuffled, folder, DrawnEncoder(), out, name="drawn", batch_size=10)
    assert again.info == index.info
    query = {head: index.vectors(head)[seed % len(index)] for head in HEADS}
    assert find_candidates(again, query) == find_candidates(index, query)


def test_adding_equals_building_at_once_and_encodes_only_new_cases(
    corpus: Corpus, index_folder: Path, tmp_path: Path
) -> None:
    folder, records = corpus
    build_index(records[::2], folder, DrawnEncoder(), tmp_path / "grown", name="drawn")
    encoder = DrawnEncoder()
    grown = add_to_index(tmp_path / "grown", records[1::2], folder, encoder, batch_size=5)
    assert encoder.images_encoded == 12
    assert hash_folder(tmp_path / "grown") == hash_folder(index_folder)
    assert grown.info.similarity_quantiles == (
        CandidateIndex.load(index_folder, "a1b2").info.similarity_quantiles
    )
    assert grown.info.source == (
        "12 cases; source: drawn; split: train; 12 cases; source: drawn; split: train"
    )


def test_adding_to_another_folder_leaves_the_old_index(
    corpus: Corpus, index_copy: Path, tmp_path: Path
) -> None:
    folder, _ = corpus
    before = hash_folder(index_copy)
    new = draw_case(tmp_path / "more", 50)
    out = tmp_path / "larger"
    larger = add_to_index(
        index_copy, [new], tmp_path / "more", DrawnEncoder(), out=out, source="one more"
    )
    assert len(larger) == 25
    assert larger.info.source.endswith("; one more")
    assert hash_folder(index_copy) == before
    assert folder.is_dir()


def test_a_large_corpus_samples_the_same_queries_however_it_grew(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = corpus
    monkeypatch.setattr("jomed_app.retrieval.build.NUM_SAMPLE_QUERIES", 7)
    whole = build_index(records, folder, DrawnEncoder(), tmp_path / "whole", name="w")
    build_index(records[:9], folder, DrawnEncoder(), tmp_path / "grown", name="w")
    grown = add_to_index(tmp_path / "grown", records[9:], folder, DrawnEncoder())
    with np.load(whole.path / "queries.npz") as queries:
        assert len(queries["ids"]) == 7
    assert grown.info.similarity_quantiles == whole.info.similarity_quantiles


def test_adding_with_another_retriever_or_a_known_id_is_refused(
    corpus: Corpus, index_copy: Path
) -> None:
    folder, records = corpus
    with pytest.raises(IndexMismatchError, match="loaded retriever is 'c3d4'"):
        add_to_index(index_copy, records[:1], folder, DrawnEncoder("c3d4"))
    with pytest.raises(RecordError, match="must be unique, found 'c004' twice"):
        add_to_index(index_copy, records[4:5], folder, DrawnEncoder())


def test_progress_counts_cases(corpus: Corpus, tmp_path: Path) -> None:
    folder, records = corpus
    seen: list[tuple[int, int]] = []
    build_index(
        records,
        folder,
        DrawnEncoder(),
        tmp_path / "out",
        name="x",
        batch_size=10,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(10, 24), (20, 24), (24, 24)]


def test_an_interrupted_build_leaves_the_older_index(corpus: Corpus, index_copy: Path) -> None:
    folder, records = corpus
    before = hash_folder(index_copy)
    with pytest.raises(StoppedError):
        build_index(records, folder, StoppingEncoder(), index_copy, name="new", batch_size=10)
    assert hash_folder(index_copy) == before
    assert CandidateIndex.load(index_copy, "a1b2").info.name == "drawn"


@pytest.mark.parametrize("step", ["write_candidates", "write_sealed"])
def test_a_failure_while_writing_leaves_the_older_index_and_no_rest(
    corpus: Corpus, index_copy: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def stop(*_: object) -> None:
        raise StoppedError

    folder, records = corpus
    before = hash_folder(index_copy)
    monkeypatch.setattr(write, step, stop)
    with pytest.raises(StoppedError):
        build_index(records, folder, DrawnEncoder(), index_copy, name="new")
    assert hash_folder(index_copy) == before
    assert [path.name for path in index_copy.parent.iterdir()] == [index_copy.name]


def test_a_failing_rename_puts_the_older_index_back(
    corpus: Corpus, index_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = corpus
    before = hash_folder(index_copy)
    rename = durable.os.replace

    def fail_on_new(source: Path, target: Path) -> None:
        if str(source).endswith(".partial"):
            raise OSError(errno.ENOSPC, "no space")
        rename(source, target)

    monkeypatch.setattr(durable.os, "replace", fail_on_new)
    with pytest.raises(StorageError, match="found: no space left on device; make room"):
        build_index(records, folder, DrawnEncoder(), index_copy, name="new")
    assert hash_folder(index_copy) == before
    assert [path.name for path in index_copy.parent.iterdir()] == [index_copy.name]


def test_an_index_left_aside_by_a_killed_build_is_pointed_out(index_copy: Path) -> None:
    aside = index_copy.with_name(f".{index_copy.name}.0a1b2c3d.old")
    index_copy.rename(aside)
    with pytest.raises(IndexMismatchError, match=r"older index at '\.copy\.0a1b2c3d\.old': rename"):
        CandidateIndex.load(index_copy, "a1b2")
    assert len(CandidateIndex.load(aside, "a1b2")) == 24


def test_the_next_build_puts_the_older_index_back_first(corpus: Corpus, index_copy: Path) -> None:
    """So that a build that fails again still leaves it where it was."""
    folder, _ = corpus
    index_copy.rename(index_copy.with_name(f".{index_copy.name}.0a1b2c3d.old"))
    with pytest.raises(RecordError, match="at least 2 cases"):
        build_index([], folder, DrawnEncoder(), index_copy, name="new")
    assert len(CandidateIndex.load(index_copy, "a1b2")) == 24


def test_an_index_without_a_name_takes_its_folders(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = corpus
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert build_index(records, folder, DrawnEncoder(), Path(), name="").info.name == "here"


def test_a_rebuild_replaces_the_older_index_whole(corpus: Corpus, index_copy: Path) -> None:
    folder, records = corpus
    opened_before = CandidateIndex.load(index_copy, "a1b2")
    new = build_index(records[:9], folder, DrawnEncoder("c3d4"), index_copy, name="new")
    assert (len(new), new.info.encoder_fingerprint) == (9, "c3d4")
    assert [path.name for path in index_copy.parent.iterdir()] == [index_copy.name]
    assert opened_before.image("c020").shape[2] == 3


def test_other_files_are_never_overwritten(corpus: Corpus, tmp_path: Path) -> None:
    folder, records = corpus
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    with pytest.raises(IndexMismatchError, match="found other files at 'home'; choose another"):
        build_index(records, folder, DrawnEncoder(), home, name="x")
    assert (home / "letter.txt").read_text() == "dear"


def test_simulated_cases_mark_the_index(tmp_path: Path) -> None:
    cases = [draw_case(tmp_path, number) for number in range(3)]
    cases[1] = cases[1].model_copy(update={"provenance": {"source": "simulated"}})
    built = build_index(cases, tmp_path, DrawnEncoder(), tmp_path / "out", name="x", source="ours")
    assert built.info.simulated
    assert built.info.source == "ours"


def test_the_corpus_hash_follows_records_and_pixels(tmp_path: Path) -> None:
    cases = [draw_case(tmp_path, number) for number in range(3)]
    hashes = set()
    for change in ("none", "record", "pixels"):
        if change == "record":
            cases[0] = cases[0].model_copy(update={"split": "val"})
        if change == "pixels":
            draw_case(tmp_path, 9)
            shutil.copy(tmp_path / "images/c009.png", tmp_path / cases[0].image)
            cases[0] = cases[0].model_copy(update={"rows": 400, "columns": 300})
        built = build_index(cases, tmp_path, DrawnEncoder(), tmp_path / "out", name="x")
        hashes.add(built.info.corpus_sha256)
    assert len(hashes) == 3


def test_bad_corpora_are_refused_in_one_sentence(tmp_path: Path) -> None:
    cases = [draw_case(tmp_path, number) for number in range(3)]

    def build(records: list[CaseRecord], encoder: DrawnEncoder) -> None:
        build_index(records, tmp_path, encoder, tmp_path / "out", name="x")

    with pytest.raises(RecordError, match="at least 2 cases, found 1"):
        build(cases[:1], DrawnEncoder())
    with pytest.raises(RecordError, match="must be unique, found 'c001' twice"):
        build([*cases, cases[1]], DrawnEncoder())
    together = [case.model_copy(update={"group": "one"}) for case in cases]
    with pytest.raises(RecordError, match="at least two groups"):
        build(together, DrawnEncoder())
    lost = [*cases[:2], cases[2].model_copy(update={"image": "images/lost.png"})]
    with pytest.raises(RecordError, match=r"case 3 \('c002'\) must have a readable image"):
        build(lost, DrawnEncoder())
    turned = [cases[0].model_copy(update={"rows": 300, "columns": 400}), *cases[1:]]
    with pytest.raises(RecordError, match="found 300 x 400 for an image of 400 x 300 px"):
        build(turned, DrawnEncoder())
    with pytest.raises(IndexMismatchError, match="must return 3 text rows of 16 numbers and norm"):
        build(cases, LongEncoder())
    with pytest.raises(IndexMismatchError, match="a text query vector of 16 numbers, found none"):
        build(cases, OneHeadEncoder())
    assert not (tmp_path / "out").exists()
