"""Whose labels weights may learn: whole groups, nested shares, a class left out, licences."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.config.backbones import BackbonesConfig
from jomed_app.config.data import DataConfig
from jomed_app.config.load import load_recipe
from jomed_app.data.licences import is_noncommercial, without_noncommercial
from jomed_app.data.records import CaseRecord, read_records, write_records
from jomed_app.errors import ConfigError
from jomed_app.training.align.vlm import stage as align_stage
from jomed_app.training.cases.labeled import (
    choose_labeled,
    hidden_ids,
    load_real,
    load_teaching,
)
from jomed_app.training.reader import named_stage as reader_stage
from jomed_app.training.retriever import named_stage as retriever_stage
from jomed_app.training.rewards.text import stage as rewards_stage
from jomed_app.training.run.named_run import NamedRun
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_config

LABELS = ("normal", "benign", "malignant")
NOT_COMMERCIAL = {"licence": "CC BY-NC 4.0"}
MODELS = {"reader": {"model": "a/b"}, "retriever": {"model": "c/d"}}
NAMED_STAGES = {
    align_stage: align_stage.named_align_stage,
    reader_stage: reader_stage.named_reader_stage,
    rewards_stage: rewards_stage.named_rewards_stage,
    retriever_stage: retriever_stage.named_retriever_stage,
}


def record(place: int) -> CaseRecord:
    """Groups of two of one label each, forty groups a label."""
    group = place // 2
    return CaseRecord(
        case_id=f"case-{place:03d}", image="a.png", label=LABELS[group % 3], passage="p",
        group=f"group-{group}", split="train", rows=8, columns=8,
    )  # fmt: skip


RECORDS = [record(place) for place in range(240)]


def chosen(**values: object) -> np.ndarray:
    return choose_labeled(RECORDS, DataConfig(**values))


@pytest.mark.parametrize(("share", "groups"), [(0.05, 2), (0.1, 4), (0.25, 10), (1.0, 40)])
def test_a_share_is_of_each_class_and_tears_no_group(share, groups):
    labeled = chosen(labels_share=share)
    counts = {name: 0 for name in LABELS}
    for each, known in zip(RECORDS, labeled, strict=True):
        counts[each.label] += int(known)
    assert set(counts.values()) == {2 * groups}
    assert (labeled[::2] == labeled[1::2]).all()


def test_a_smaller_share_is_part_of_a_larger_one_and_seeds_differ():
    small, large = chosen(labels_share=0.1), chosen(labels_share=0.25)
    assert (large | ~small).all()
    assert (chosen(labels_share=0.1) == small).all()
    assert (chosen(labels_share=0.1, labels_seed=1) != small).any()


def test_no_class_vanishes_but_the_one_that_is_left_out():
    assert {RECORDS[row].label for row in np.flatnonzero(chosen(labels_share=0.001))} == {*LABELS}
    labeled = chosen(left_out="malignant")
    assert {RECORDS[row].label for row in np.flatnonzero(labeled)} == {"normal", "benign"}
    assert labeled.sum() == 160
    assert not chosen(labels_share=0.0).any()


def test_a_class_that_cannot_be_left_out_is_named():
    with pytest.raises(ConfigError, match=r"left_out must be .*found 'cyst' among \['benign'"):
        chosen(left_out="cyst")
    two = [each for each in RECORDS if each.label != "normal"]
    with pytest.raises(ConfigError, match="one of three classes or more"):
        choose_labeled(two, DataConfig(left_out="benign"))


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC BY-NC 4.0, non-commercial use only", True),
        ("CC BY-NC-SA 3.0", True),
        ("noncommercial research", True),
        ("CC BY 4.0", False),
        ("", False),
        ("FRANCE Open Licence", False),
    ],
)
def test_terms_are_read_from_what_a_case_states(licence, expected):
    stated = RECORDS[0].model_copy(update={"provenance": {"licence": licence}})
    assert is_noncommercial(stated) is expected
    assert without_noncommercial([stated, RECORDS[1]])[-1] == RECORDS[1]
    assert len(without_noncommercial([stated])) == (not expected)


def test_sets_for_non_commercial_use_can_be_left_out(tiny_real_cases, tmp_path):
    records = read_records(tiny_real_cases)
    limited = [each.model_copy(update={"provenance": NOT_COMMERCIAL}) for each in records]
    config = tiny_config(tmp_path)
    free = config.replaced(data=config.data.replaced(noncommercial=False))
    write_records(tmp_path, [*limited[:3], *records[3:]])
    assert len(load_real(Workspace(tmp_path, config))[1]) == 16
    assert len(load_real(Workspace(tmp_path, free))[1]) == 13
    write_records(tmp_path, limited)
    with pytest.raises(ConfigError, match=r"all are for non-commercial use; set data\.noncomm"):
        load_real(Workspace(tmp_path, free))


def test_hidden_cases_are_the_rest(tiny_real_cases, tmp_path):
    config = tiny_config(tiny_real_cases)
    assert hidden_ids(Workspace(tmp_path, config)) == frozenset()
    none = config.replaced(data=config.data.replaced(labels_share=0.0))
    assert len(hidden_ids(Workspace(tmp_path, none))) == 16
    assert hidden_ids(Workspace(tmp_path, tiny_config())) == frozenset()


def test_named_models_learn_from_the_same_share(tmp_path):
    write_records(tmp_path / "cases", RECORDS)
    values = MODELS | {"data": str(tmp_path / "cases"), "labels_share": 0.1, "labels_seed": 3}
    run = NamedRun(tmp_path / "run", BackbonesConfig.model_validate(values))
    folder, taught = load_teaching(run)
    assert folder == tmp_path / "cases"
    labeled = chosen(labels_share=0.1, labels_seed=3)
    assert taught == [RECORDS[row] for row in np.flatnonzero(labeled)]


@pytest.mark.parametrize("module", NAMED_STAGES, ids=lambda module: module.__name__)
def test_every_stage_of_named_models_asks_what_teaches(module, tmp_path, monkeypatch):
    def ask(run):
        raise ConfigError(f"asked for {run.config.labels_share}")

    monkeypatch.setattr(module, "load_teaching", ask)
    config = BackbonesConfig.model_validate(MODELS | {"labels_share": 0.25})
    with pytest.raises(ConfigError, match=r"^asked for 0\.25$"):
        NAMED_STAGES[module](config, tmp_path)


def test_the_embedded_table_of_labels_is_refused_for_named_models(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[reader]\nmodel = "a/b"\n[retriever]\nmodel = "c/d"\n')
    with pytest.raises(ConfigError, match=r"found a table with labels_share; labels_share and"):
        load_recipe(path, ["data.labels_share=0.1"])
