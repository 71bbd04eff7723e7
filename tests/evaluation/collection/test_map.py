"""The map of a collection, and how often neighbours agree."""

from __future__ import annotations

import numpy as np

from jomed_app.evaluation.collection.map import map_collection, nearest_agree


def test_the_axes_are_those_of_greatest_spread_and_points_stay_inside():
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((200, 5)) * [10, 3, 0.1, 0.1, 0.1]).astype(np.float32)
    found = map_collection(vectors)
    assert found.points.shape == (200, 2)
    assert found.points.min() >= 0
    assert found.points.max() <= 1
    assert abs(np.corrcoef(found.points[:, 0], vectors[:, 0])[0, 1]) > 0.99
    assert abs(np.corrcoef(found.points[:, 1], vectors[:, 1])[0, 1]) > 0.99
    first, second = found.spread
    assert 0.85 < first < 0.97
    assert abs(first + second - 1) < 0.01
    again = map_collection(vectors)
    np.testing.assert_array_equal(found.points, again.points)


def test_of_a_large_collection_every_nth_case_is_drawn():
    vectors = np.eye(40, 4, dtype=np.float32)
    found = map_collection(vectors, most=5)
    assert found.rows.tolist() == [0, 10, 20, 29, 39]


def test_equal_cases_lie_in_the_middle():
    found = map_collection(np.ones((3, 4), dtype=np.float32))
    np.testing.assert_allclose(found.points, 0.5)


def test_neighbours_of_other_groups_are_counted():
    vectors = np.array([[1, 0], [0.99, 0.1], [0, 1], [0.1, 0.99]], dtype=np.float32)
    labels = ["a", "a", "b", "a"]
    assert nearest_agree(vectors, labels, ["", "", "", ""]) == (2, 4)
    # A twin does not count: the nearest of another group then has another label.
    assert nearest_agree(vectors, labels, ["x", "x", "", ""]) == (2, 4)
    assert nearest_agree(vectors[:2], labels[:2], ["x", "x"]) == (0, 0)
