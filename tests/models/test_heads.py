from __future__ import annotations

import numpy as np
import pytest

from jomed_app.models.heads import DomainHead, LinearHead, load_heads, save_heads


def array(*values):
    return np.array(values, dtype=np.float32)


HEAD = LinearHead(
    mean=array(1, 2), scale=array(2, 1), weight=array((1, 0), (0, 1), (0, 0)), bias=array(0, 0, 1)
)
DOMAIN = DomainHead(
    classifier=LinearHead(array(0, 0), array(1, 1), array((0, 0), (1, 0)), array(0, 0)),
    mean=array(1, 1),
    components=array((1, 0), (0, 1)),
    variance=array(4, 1),
    radius=2.0,
)


def test_log_probabilities_by_hand():
    logits = np.array([1.0, 3.0, 1.0])  # (3 - 1) / 2, (5 - 2) / 1, bias
    expected = logits - np.log(np.exp(logits).sum())
    np.testing.assert_allclose(HEAD.log_prob(array((3, 5)))[0], expected, atol=1e-6)


def test_rows_are_normalized():
    rows = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_allclose(np.exp(HEAD.log_prob(rows)).sum(-1), 1.0)


def test_the_domain_probability_by_hand():
    assert DOMAIN.probability(array(0, 9)) == pytest.approx(0.5)
    assert DOMAIN.probability(array(2, 0)) == pytest.approx(1 / (1 + np.exp(-2)))


def test_the_distance_is_in_units_of_the_radius():
    assert DOMAIN.distance(array(1, 1)) == 0.0
    assert DOMAIN.distance(array(5, 1)) == pytest.approx(1.0)  # 4 px are 2 deviations
    assert DOMAIN.distance(array(1, 5)) == pytest.approx(2.0)


def test_directions_outside_the_components_do_not_count():
    flat = DomainHead(DOMAIN.classifier, DOMAIN.mean, array((1, 0)), array(4), 2.0)
    assert flat.distance(array(1, 99)) == 0.0


def test_heads_come_back_as_they_were_saved(tmp_path):
    path = save_heads(tmp_path / "heads", HEAD, DOMAIN)
    assert path.is_file()
    backbone, domain = load_heads(tmp_path / "heads")
    features = array(0.3, -2)
    np.testing.assert_array_equal(backbone.log_prob(features[None]), HEAD.log_prob(features[None]))
    assert domain.probability(features) == DOMAIN.probability(features)
    assert domain.distance(features) == DOMAIN.distance(features)


def test_a_transposed_matrix_is_stored_in_the_right_order(tmp_path):
    turned = LinearHead(HEAD.mean, HEAD.scale, np.asfortranarray(HEAD.weight), HEAD.bias)
    save_heads(tmp_path, turned, DOMAIN)
    np.testing.assert_array_equal(load_heads(tmp_path)[0].weight, HEAD.weight)
