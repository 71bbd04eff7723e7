"""Triples: which sources, which side of a split, which share."""

from __future__ import annotations

import pytest

from jomed_app.config.training import AlignConfig
from jomed_app.data.wording.extended import extend_description
from jomed_app.errors import ConfigError
from jomed_app.training.align.triples import (
    extended_texts,
    load_triples,
    read_source,
    thinned_out,
)
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_config
from tests.training.localizer.small_cases import drawn_cases

RECORDS = drawn_cases(10).records


def test_a_smaller_share_is_part_of_a_larger_one():
    small, large = thinned_out(RECORDS, 0.3, 5), thinned_out(RECORDS, 0.8, 5)
    assert (len(small), len(large)) == (3, 8)
    assert {each.case_id for each in small} < {each.case_id for each in large}
    assert [each.case_id for each in large] == sorted(each.case_id for each in large)
    assert thinned_out(RECORDS, 1.0, 5) == list(RECORDS)
    assert len(thinned_out(RECORDS, 1e-4, 5)) == 1
    assert thinned_out([], 0.5, 0) == []


def test_another_seed_draws_others():
    drawn = {tuple(each.case_id for each in thinned_out(RECORDS, 0.3, seed)) for seed in range(8)}
    assert len(drawn) > 3


def test_a_case_without_an_extended_text_gets_one_by_rule():
    plain = RECORDS[0].model_copy(update={"extended_passage": "", "passage": "Hypoechoic mass."})
    assert extended_texts([plain, RECORDS[1]]) == [
        extend_description("Hypoechoic mass."),
        RECORDS[1].extended_passage,
    ]


@pytest.fixture
def work(tiny_run):
    return Workspace(tiny_run, tiny_config())


def test_simulated_triples_know_where_nothing_is(work):
    images = load_triples(work, AlignConfig())
    assert len(images.records) == 6
    assert images.is_annotated().all()


@pytest.mark.parametrize("held_out", [False, True])
def test_public_sets_are_split_and_never_give_a_test_case(work, held_out, monkeypatch, tmp_path):
    splits = ("train", "val", "test", "train", "")
    records = [
        record.model_copy(update={"split": split})
        for record, split in zip(RECORDS, splits, strict=False)
    ]
    readers = dict.fromkeys(("slake", "busi"), lambda data: (tmp_path, records))
    monkeypatch.setattr("jomed_app.training.align.triples.READERS", readers)
    config = AlignConfig(data=str(tmp_path))
    taken = {
        name: [each.split for each in read_source(work, config, name, held_out=held_out)[1]]
        for name in readers
    }
    if held_out:
        assert taken == {"slake": ["val"], "busi": []}
    else:
        assert taken == {"slake": ["train", "train", ""], "busi": ["train", "val", "train", ""]}


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (("slake",), "align.data must be the root of the public sets to read 'slake', found none"),
        (("roco",), r"align.sources must be among \['simulated', .* found 'roco'"),
        ((), r"alignment requires one triple or more, \[\] hold none"),
    ],
)
def test_what_is_refused(work, sources, said):
    with pytest.raises(ConfigError, match=said):
        load_triples(work, AlignConfig(sources=sources))
