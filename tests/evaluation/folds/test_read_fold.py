from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from jomed_app.boxes import Box
from jomed_app.config.load import JomedConfig
from jomed_app.evaluation.folds.read_fold import (
    TableView,
    merge_labels,
    pick_per_head,
    read_fold,
    to_case_scores,
    view_of,
)
from jomed_app.evaluation.systems import ADVERSARIAL, ScoringSettings
from tests.evaluation.folds.drawn_readings import draw_readings
from tests.evaluation.noise_table import POSITION_DIM, TASK, noise_record, noise_table
from tests.tiny_models import build_tiny_reader


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(2, TASK.answer_words, image_size=64)


@pytest.fixture(scope="module")
def work():
    return SimpleNamespace(task=TASK, config=JomedConfig())


@pytest.fixture(scope="module")
def table(reader):
    return noise_table(reader)


@pytest.fixture
def seen(monkeypatch):
    """What would be read beside what, by rows of the table; no model runs."""
    cases = []

    def remember(
        reader, query, retrieved, drawn, neighbors, backbone, settings, *,
        size, asks_box, adversarial,
    ):  # fmt: skip
        def rows(found):
            return [int(each.passage.split()[1]) for each in found.inputs]

        cases.append(
            SimpleNamespace(
                rows=rows(retrieved),
                labels=retrieved.labels.tolist(),
                scores=retrieved.scores,
                drawn=rows(drawn),
                misleading=rows(adversarial) if adversarial else None,
                neighbors=neighbors,
                backbone=backbone,
                size=size,
                asks_box=asks_box,
            )
        )
        return cases[-1]

    monkeypatch.setattr("jomed_app.evaluation.folds.read_fold.read_case", remember)
    return cases


def test_a_view_holds_labels_groups_and_features(table):
    view = view_of(table, TASK, POSITION_DIM)
    assert view.labels.tolist() == [place % 3 for place in range(18)]
    assert view.groups[6] == view.groups[7] == "pair"
    assert view.groups[8] == "c8"
    assert view.features.shape == (18, table.tokens.shape[-1] - POSITION_DIM)


def test_a_fold_is_read_beside_cases_of_the_other_folds(reader, work, table, seen):
    steps = []
    found = read_fold(
        reader,
        work,
        table,
        1,
        table.tokens[table.real],
        on_progress=lambda done, total, **_: steps.append((done, total)),
    )
    assert sorted(found) == table.held_out_rows(1).tolist()
    allowed = set(table.training_rows(1).tolist())
    for case in found.values():
        assert len(set(case.rows)) == len(set(case.drawn)) == 4
        assert set(case.rows) | set(case.drawn) <= allowed
        assert case.labels == [row % 3 for row in case.rows]
        assert case.scores.max() == pytest.approx(1.0)
        neighbor_labels, neighbor_scores = case.neighbors
        assert sorted(neighbor_labels) == sorted(row % 3 for row in allowed), "fewer than 64"
        assert (np.diff(neighbor_scores) <= 0).all()
        assert np.exp(case.backbone).sum() == pytest.approx(1.0)
        assert case.size == (64, 64)
    assert steps[-1] == (len(found), len(found))


def test_adversarial_candidates_are_the_nearest_of_another_class(reader, work, table, seen):
    found = read_fold(reader, work, table, 1, table.tokens[table.real], misleads=True)
    projections = table.fold_projections(1)
    with torch.no_grad():
        rows = projections.embed_features(table.features, "image").numpy()
    for row, case in found.items():
        allowed = table.training_rows(1)
        other = allowed[allowed % 3 != row % 3]
        assert set(case.misleading) <= set(other.tolist())
        assert len(set(case.misleading)) == 4
        assert other[(rows[other] @ rows[row]).argmax()] in case.misleading


@pytest.mark.parametrize("misleads", [True, False])
def test_without_another_class_or_unasked_nothing_misleads(
    reader, work, table, monkeypatch, misleads
):
    told = []
    monkeypatch.setattr(
        "jomed_app.evaluation.folds.read_fold.read_case",
        lambda *parts, adversarial, **more: told.append(adversarial),
    )
    same = np.array([3, 6, 9, 12, 15])  # of the first label
    tokens = table.tokens[table.real]
    read_fold(reader, work, table, 1, tokens, corpus=same, misleads=misleads)
    labels = table.held_out_rows(1) % 3
    assert [each is None for each in told] == ((labels == 0) | (not misleads)).tolist()


def test_the_reader_is_asked_for_boxes_where_told(reader, work, table, seen):
    tokens = table.tokens[table.real]
    for asks_box in (False, True):
        found = read_fold(reader, work, table, 1, tokens, asks_box=asks_box)
        assert {case.asks_box for case in found.values()} == {asks_box}


def test_the_nearest_image_is_among_the_candidates(reader, work, table, seen):
    found = read_fold(reader, work, table, 1, table.tokens[table.real])
    projections = table.fold_projections(1)
    with torch.no_grad():
        rows = projections.embed_features(table.features, "image").numpy()
    allowed = table.training_rows(1)
    for row, case in found.items():
        assert allowed[(rows[allowed] @ rows[row]).argmax()] in case.rows


def test_a_query_never_meets_its_group(reader, work, table, seen):
    """With the twins torn apart, the one left in the corpus is still no candidate."""
    folds = table.folds.copy()
    folds[4] = 0
    torn = dataclasses.replace(table, folds=folds)
    assert 7 in torn.training_rows(1)
    found = read_fold(reader, work, torn, 1, torn.tokens[torn.real])
    assert 7 not in found[6].rows + found[6].drawn
    others = [case for row, case in found.items() if row != 6]
    assert others


def test_drawn_candidates_depend_on_seed_and_row_alone(reader, work, table, seen):
    tokens = table.tokens[table.real]
    first, again = (read_fold(reader, work, table, 1, tokens) for _ in range(2))
    other = read_fold(reader, work, table, 1, tokens, seed=1)
    assert all(again[row].drawn == first[row].drawn for row in first)
    assert any(other[row].drawn != first[row].drawn for row in first)


def test_masked_queries_are_read_anew(reader, work, table):
    plain = read_fold(reader, work, table, 2, table.tokens[table.real])
    masked = read_fold(reader, work, table, 2, 0.5 * table.tokens[table.real])
    assert masked.keys() == plain.keys()
    assert any(np.abs(masked[row].plain - plain[row].plain).max() > 1e-3 for row in plain)
    for row in plain:
        np.testing.assert_array_equal(masked[row].drawn_labels, plain[row].drawn_labels)


def test_two_of_each_search_are_picked():
    scores = {
        "image": np.array([0.9, 0.1, 0.6, 0.2, 0.3], dtype=np.float32),
        "text": np.array([0.0, 0.4, 0.05, 0.5, 0.1], dtype=np.float32),
    }
    places, relative, is_text = pick_per_head(scores, 2)
    assert places.tolist() == [0, 2, 3, 1]
    np.testing.assert_allclose(relative, [1.0, 0.6 / 0.9, 1.0, 0.8], rtol=1e-6)
    assert is_text.tolist() == [False, False, True, True]


def test_a_case_that_both_searches_find_counts_once():
    scores = {
        "image": np.array([0.9, 0.8, 0.6, 0.2], dtype=np.float32),
        "text": np.array([0.5, 0.1, 0.4, 0.0], dtype=np.float32),
    }
    places, _, _ = pick_per_head(scores, 2)
    assert sorted(places.tolist()) == [0, 1, 2, 3]


@pytest.fixture
def drawn():
    cases, labels = draw_readings(6)
    view = TableView(
        labels, np.array([f"g{place}" for place in range(6)]), np.zeros((6, 1), np.float32)
    )
    table = SimpleNamespace(records=[noise_record(place) for place in range(6)])
    return table, view, dict(enumerate(cases))


def test_every_case_is_scored_with_its_truth(drawn):
    table, view, raw = drawn
    cases = to_case_scores(table, view, raw, ScoringSettings())
    assert [case.case_id for case in cases] == [f"c{place}" for place in range(6)]
    assert [case.label for case in cases] == [0, 1, 2, 0, 1, 2]
    assert cases[0].boxes == ()
    assert cases[1].boxes == (Box(8, 8, 24, 24),)
    assert all(case.systems["rag"].probabilities.sum() == pytest.approx(1) for case in cases)


def test_merging_asks_the_two_class_question(drawn):
    table, view, raw = drawn
    cases = to_case_scores(table, view, raw, ScoringSettings(), merge=[[0, 1], [2]])
    whole = to_case_scores(table, view, raw, ScoringSettings())
    assert [case.label for case in cases] == [0, 0, 1, 0, 0, 1]
    for merged, full in zip(cases, whole, strict=True):
        for name in ("backbone", "no_retrieval", "rag", "random_candidates"):
            p, q = full.systems[name].probabilities, merged.systems[name].probabilities
            np.testing.assert_allclose(q, [p[0] + p[1], p[2]], err_msg=name)
        assert set(merged.systems["rag"].candidate_labels) <= {0, 1}
        assert ADVERSARIAL in full.systems
        assert ADVERSARIAL not in merged.systems, "of another class, but maybe not once merged"


def test_merged_labels_by_hand(drawn):
    _, _, raw = drawn
    merged = merge_labels(raw[0], [[2], [0, 1]])
    np.testing.assert_allclose(np.exp(merged.plain), [
        np.exp(raw[0].plain[2]), np.exp(raw[0].plain[:2]).sum()
    ])  # fmt: skip
    expected = [0 if label == 2 else 1 for label in raw[0].retrieved_labels]
    assert merged.retrieved_labels.tolist() == expected
    assert merged.boxes == raw[0].boxes
