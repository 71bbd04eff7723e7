from __future__ import annotations

import numpy as np
import pytest

from jomed_app.errors import BundleError
from jomed_app.training.cases.table import load_reader_table
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.training.retriever.answer_cache import PACKED, AnswerCache, fill_cache
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_config


@pytest.fixture(scope="module")
def reader(tiny_run, tiny_real_cases):
    """A tiny reader in fp32, so that packing changes nothing but rounding."""
    work = Workspace(tiny_run, tiny_config(tiny_real_cases))
    plain = work.plain_reader()
    table = load_reader_table(work, plain)
    plain.model.float().eval()
    return TableReader(plain, work.task, table)


def filled(path, reader, wanted):
    cache = AnswerCache(path, "key")
    count = fill_cache(cache, reader.cases, wanted, reader.query, reader.candidate)
    return cache, count


def test_what_is_cached_is_what_the_reader_says(reader, tmp_path):
    wanted = {12: list(range(11)), 14: [3, 5]}
    cache, count = filled(tmp_path / "answers.npz", reader, wanted)
    assert count == 13
    assert cache.queries == [12, 14]
    question = reader.cases.task.question
    for query, candidates in wanted.items():
        for row in candidates:
            alone = reader.cases.read(reader.query(query), question, [reader.candidate(row)])
            np.testing.assert_allclose(
                cache[query].of([row])[0], alone.log_likelihood[0], atol=1e-4, rtol=1e-5
            )
        np.testing.assert_allclose(cache[query].plain, alone.alone_log_prob, atol=1e-4, rtol=1e-5)


def test_a_pair_is_read_once_even_after_a_restart(reader, tmp_path):
    path = tmp_path / "answers.npz"
    first, _ = filled(path, reader, {12: [0, 1]})
    again, count = filled(path, reader, {12: [1, 0]})
    assert count == 0
    np.testing.assert_array_equal(again[12].of([1, 0]), first[12].of([1, 0]))
    more, count = filled(path, reader, {12: [1, 7, 7]})
    assert count == 1
    assert more[12].candidates.tolist() == [0, 1, 7]
    assert AnswerCache(path, "key")[12].candidates.tolist() == [0, 1, 7]


def test_more_candidates_than_fit_in_one_sequence_are_read_in_parts(reader, tmp_path):
    rows = [row for row in range(len(reader.table.records)) if row != 12][: PACKED + 2]
    cache, count = filled(tmp_path / "answers.npz", reader, {12: rows})
    assert count == len(rows) == PACKED + 2
    assert np.isfinite(cache[12].log_likelihood).all()


def test_another_readers_answers_are_refused(reader, tmp_path):
    path = tmp_path / "answers.npz"
    filled(path, reader, {12: [0]})
    with pytest.raises(BundleError, match=r"must be those of reader 'other', 'answers\.npz' holds"):
        AnswerCache(path, "other")


def test_a_pair_never_read_is_a_key_error(reader, tmp_path):
    cache, _ = filled(tmp_path / "answers.npz", reader, {12: [0]})
    with pytest.raises(KeyError):
        cache[12].of([4])
