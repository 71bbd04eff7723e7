"""No label outside the share reaches a weight: scrambled ones leave every stage's output as it is.

One tiny run learns from a share of the labels. In the other, the labels, boxes and descriptors of
all other cases are exchanged for those of another class; their images and places are the same.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jomed_app.config.load import JomedConfig
from jomed_app.data.corpus import assign_folds
from jomed_app.data.records import read_records, write_records
from jomed_app.evaluation.folds import cross_validate
from jomed_app.inference.calibration.profile import Profile
from jomed_app.training.cases.labeled import choose_labeled, hidden_ids, load_real
from jomed_app.training.cases.table import load_reader_table
from jomed_app.training.reader.stage import reader_stage
from jomed_app.training.retriever.stage import retriever_stage
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import tiny_base_weights, tiny_config

LABELS = ("normal", "benign", "malignant")
WEIGHTS = (
    "reader/*/checkpoint.safetensors",
    "localizer/*/model.safetensors",
    "retriever/*/seed*/projections/model.safetensors",
)


def share_config(data: Path) -> JomedConfig:
    """Three quarters of the labels; phase 2 searches among them alone; one seed of it."""
    config = tiny_config(data)
    return config.replaced(
        data=config.data.replaced(labels_share=0.75),
        train_retriever=config.train_retriever.replaced(candidates="labeled", num_seeds=1),
    )


def scrambled(data: Path, hidden: frozenset[str], out: Path) -> Path:
    """A copy of the cases in which the hidden ones say something else."""
    shutil.copytree(data, out)
    records = [
        each.model_copy(
            update={
                "label": LABELS[(LABELS.index(each.label) + 1) % 3],
                "boxes": () if each.boxes else ((1.0, 1.0, 9.0, 9.0),),
                "descriptors": {},
            }
        )
        if each.case_id in hidden
        else each
        for each in read_records(data)
    ]
    write_records(out, records)
    return out


def learn(config: JomedConfig, aligned: Path, out: Path) -> Path:
    """The stages `reader` and `retriever` on an alignment that is there."""
    for name in ("align", "base", "sim"):
        shutil.copytree(aligned / name, out / name)
    with tiny_base_weights():
        reader_stage(config, out)
        retriever_stage(config, out)
    return out


@pytest.fixture(scope="module")
def runs(tiny_run, tiny_real_cases, tmp_path_factory):
    """The run, and the one whose hidden labels say something else."""
    folder = tmp_path_factory.mktemp("share")
    config = share_config(tiny_real_cases)
    hidden = hidden_ids(Workspace(folder, config))
    assert 3 <= len(hidden) <= 6
    records = load_real(Workspace(folder, config))[1]
    folds = assign_folds(records, 2, config.train_reader.fold_seed)
    labeled = choose_labeled(records, config.data)
    first = learn(config, tiny_run, folder / "a")
    other = share_config(scrambled(tiny_real_cases, hidden, folder / "cases"))
    with pytest.MonkeyPatch.context() as patch:  # both draws are stratified by the labels
        for place in ("cases.table", "localizer.stage"):
            module = f"jomed_app.training.{place}"
            patch.setattr(f"{module}.assign_folds", lambda *_: folds)
            patch.setattr(f"{module}.choose_labeled", lambda *_: labeled)
        return first, learn(other, tiny_run, folder / "b")


@pytest.mark.parametrize("pattern", WEIGHTS)
def test_weights_do_not_depend_on_hidden_labels(runs, pattern):
    first, second = runs
    found = sorted(path.relative_to(first) for path in first.glob(pattern))
    assert len(found) >= 3, "two folds and the final one"
    for path in found:
        assert (first / path).read_bytes() == (second / path).read_bytes(), path


def test_hidden_cases_stay_in_the_index_and_out_of_what_is_taught(tiny_run, tiny_real_cases):
    work = Workspace(tiny_run, share_config(tiny_real_cases))
    table = load_reader_table(work, work.plain_reader())
    hidden = hidden_ids(work)
    for fold in (0, 1, None):
        known, taught = table.training_rows(fold), table.taught_rows(fold)
        out = {table.records[row].case_id for row in set(known.tolist()) - set(taught.tolist())}
        assert out == hidden & {table.records[row].case_id for row in known}
        assert set(table.searched_rows(fold, "labeled").tolist()) == set(taught.tolist())
        assert not set(table.labeled_rows(fold).tolist()) & set(table.simulated.tolist())
    searched = table.searched_rows(None, "unseen").tolist()
    labels = {table.records[row].label for row in searched}
    assert {table.records[row].case_id for row in searched} == hidden
    assert len(labels) > 1
    alone = replace(table, labeled=np.zeros(0, dtype=np.int64))
    assert alone.taught_rows(0).tolist() == table.simulated.tolist()
    whole = replace(table, labeled=None)
    assert whole.searched_rows(0, "unseen").tolist() == table.training_rows(0).tolist()


def test_settings_are_fitted_on_learned_labels_alone(monkeypatch):
    seen = []
    rows = np.arange(4)
    table = SimpleNamespace(
        is_labeled=lambda asked: np.isin(asked, [1, 3]),
        records=[SimpleNamespace(box_list=[]) for _ in rows],
    )
    read = SimpleNamespace(table=table, view=SimpleNamespace(labels=rows), empty=[])
    monkeypatch.setattr(
        cross_validate, "fit_settings", lambda cases, labels: seen.append((cases, labels.tolist()))
    )
    monkeypatch.setattr(cross_validate, "with_box_score", lambda fitted, cases, *_: fitted)
    cross_validate._fit({row: f"case {row}" for row in rows.tolist()}, read)
    assert seen == [(["case 1", "case 3"], [1, 3])]
    table.is_labeled = lambda asked: np.zeros(len(asked), dtype=bool)
    assert cross_validate._fit({0: "case 0"}, read).profile == Profile()
