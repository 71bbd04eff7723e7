from __future__ import annotations

import numpy as np
import pytest

from jomed_app.training.heads import DOMAIN_MARGIN, fit_domain_head, fit_linear_head


def clouds(count: int, centers: list[list[float]], seed: int = 0):
    """Features around each center, and which center each came from."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(centers)
    rows = np.asarray(centers)[labels] + rng.normal(size=(count, len(centers[0])))
    return rows.astype(np.float32), labels.astype(np.intp)


@pytest.mark.parametrize("centers", [[[0, 0], [6, 0]], [[0, 0], [6, 0], [0, 6]]])
def test_separate_classes_are_told_apart(centers):
    features, labels = clouds(90, centers)
    head = fit_linear_head(features, labels, regularization=1.0)
    assert head.weight.shape == (len(centers), 2)
    fresh, truth = clouds(90, centers, seed=1)
    assert (head.log_prob(fresh).argmax(-1) == truth).mean() > 0.95


def test_two_classes_give_the_probabilities_of_the_logistic_model():
    from sklearn.linear_model import LogisticRegression

    features, labels = clouds(60, [[0, 0], [2, 1]])
    head = fit_linear_head(features, labels, regularization=0.1)
    scaled = (features - features.mean(0)) / features.std(0)
    model = LogisticRegression(C=0.1, max_iter=2000).fit(scaled, labels)
    np.testing.assert_allclose(
        np.exp(head.log_prob(features)), model.predict_proba(scaled), atol=1e-4
    )


def test_a_class_without_a_case_has_no_probability():
    features, labels = clouds(60, [[0, 0], [6, 0]])
    head = fit_linear_head(features, labels * 2, num_labels=4)
    said = np.exp(head.log_prob(features))
    assert (said[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(said[:, [0, 2]].sum(axis=1), 1.0)
    np.testing.assert_array_equal(
        said[:, [0, 2]], np.exp(fit_linear_head(features, labels).log_prob(features))
    )


def test_a_constant_feature_is_no_fault():
    features, labels = clouds(40, [[0, 0], [4, 0]])
    features[:, 1] = 7.0
    head = fit_linear_head(features, labels)
    assert np.isfinite(head.log_prob(features)).all()


def test_a_stronger_pull_gives_smaller_weights():
    features, labels = clouds(60, [[0, 0], [3, 0]])
    weak, strong = (np.abs(fit_linear_head(features, labels, c).weight).sum() for c in (1.0, 0.001))
    assert strong < weak


def test_the_domain_takes_its_own_and_refuses_the_foreign():
    inside, _ = clouds(200, [[0.0] * 8])
    outside, _ = clouds(100, [[5.0] * 8])
    head = fit_domain_head(inside, outside)
    own, _ = clouds(200, [[0.0] * 8], seed=2)
    kept = [head.probability(row) > 0.5 and head.distance(row) <= 1 for row in own]
    assert np.mean(kept) > 0.95
    foreign, _ = clouds(50, [[5.0] * 8], seed=3)
    assert not any(head.probability(row) > 0.5 for row in foreign)


def test_a_foreign_kind_never_shown_is_far():
    inside, _ = clouds(200, [[0.0] * 8])
    outside, _ = clouds(100, [[5.0] * 8])
    head = fit_domain_head(inside, outside)
    unseen = np.array([-20.0, 20.0] * 4, dtype=np.float32)
    assert head.distance(unseen) > 1


def test_the_radius_comes_from_cases_that_were_not_fitted_on():
    inside, _ = clouds(100, [[0.0] * 4])
    outside, _ = clouds(40, [[5.0] * 4])
    head = fit_domain_head(inside, outside, seed=4)
    held = inside[np.random.default_rng(4).permutation(100)[:10]]
    farthest = max(head.distance(row) for row in held)
    assert 1 / DOMAIN_MARGIN <= farthest <= 1 / DOMAIN_MARGIN * 1.05


def test_a_set_too_small_to_hold_some_back_still_has_a_radius():
    inside, _ = clouds(6, [[0.0] * 4])
    outside, _ = clouds(6, [[5.0] * 4])
    assert fit_domain_head(inside, outside).radius > 0
