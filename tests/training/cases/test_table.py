"""The table of cases that readers and localizers are trained on, and its folds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.training.cases.table import load_reader_table
from jomed_app.training.run.workspace import Workspace
from tests.tiny_run import NUM_REAL, tiny_config


@pytest.fixture(scope="module")
def work(tiny_run, tiny_real_cases):
    return Workspace(tiny_run, tiny_config(tiny_real_cases))


@pytest.fixture(scope="module")
def table(work):
    reader, _ = work.trainable_reader()
    return load_reader_table(work, reader)


def test_the_table_holds_simulated_cases_first(table, work):
    assert len(table.simulated) == 12
    assert len(table.real) == NUM_REAL, "the test split stays out"
    assert table.tokens.shape[0] == len(table.records) == 12 + NUM_REAL
    assert {record.split for record in table.records[12:]} == {"train", "val"}
    assert table.features.shape[0] == len(table.records)
    np.testing.assert_allclose(np.linalg.norm(table.passages, axis=1), 1.0, atol=1e-3)


def test_the_space_of_images_is_fitted_on_what_a_fold_may_see(table):
    whole, first, second = (table.fold_projections(fold).visual.weight for fold in (None, 0, 1))
    assert not torch.allclose(first, second)
    assert not torch.allclose(whole, first)
    assert torch.equal(first, table.fold_projections(0).visual.weight)


def test_folds_share_no_group_and_cover_all(table):
    held = [set(table.held_out_rows(fold).tolist()) for fold in range(2)]
    assert held[0] | held[1] == set(table.real.tolist())
    assert not held[0] & held[1]
    for fold in range(2):
        assert set(table.training_rows(fold).tolist()) == held[1 - fold]
        groups = [{table.records[row].group for row in rows} for rows in held]
        assert not groups[0] & groups[1]
    assert set(table.training_rows(None).tolist()) == set(table.real.tolist())
