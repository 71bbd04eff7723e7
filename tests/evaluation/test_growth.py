"""A growing index: whole groups, one inside the other, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError
from jomed_app.evaluation.growth import hidden_at
from jomed_app.retrieval.corpus_view import CorpusView


@pytest.fixture(scope="module")
def corpus():
    """Ten groups of two, and one case without a group."""
    records = [
        CaseRecord(
            case_id=f"case-{place:02d}", image="a.png", label="a", passage="p",
            group=f"group-{place // 2}" if place < 20 else "", split="train", rows=8, columns=8,
        )
        for place in range(21)
    ]  # fmt: skip
    vectors = np.eye(21, dtype=np.float32)
    return CorpusView.of_vectors("made", records, {"image": vectors})


def test_an_index_grows_by_whole_groups_and_keeps_what_it_had(corpus):
    hidden = hidden_at(corpus, [12, 5, 21])
    assert list(hidden) == [5, 12, 21]
    shown = {size: set(corpus.ids) - out for size, out in hidden.items()}
    assert shown[5] < shown[12] < shown[21] == set(corpus.ids)
    for size, ids in shown.items():
        assert size <= len(ids) <= size + 1
        groups = [corpus.candidate(each).group for each in ids]
        assert all(groups.count(name) == 2 for name in groups if name)
    assert hidden_at(corpus, [5]) == {5: hidden[5]}
    assert hidden_at(corpus, [5], seed=1) != {5: hidden[5]}


@pytest.mark.parametrize("size", [0, 22])
def test_a_size_that_no_index_has_is_named(corpus, size):
    with pytest.raises(ConfigError, match=rf"between 1 and its 21 cases, found \[{size}\]"):
        hidden_at(corpus, [3, size])


def test_a_group_is_held_or_not(corpus):
    assert corpus.holds_group("group-3")
    assert not corpus.holds_group("group-10")
    assert not corpus.holds_group("")
