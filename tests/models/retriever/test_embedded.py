"""The retriever: unit rows, an index that stays valid, query heads that start as plain RAG."""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pytest
import torch

from jomed_app.models.retriever.embedded import (
    HEADS,
    EmbeddedRetriever,
    PassageEncoder,
    RetrieverConfig,
    encode_texts,
)
from jomed_app.models.retriever.embedded import RetrieverProjections as Projections
from jomed_app.models.towers.tokens import pool_tokens
from tests.tiny_models import TINY_DIM, build_tiny_retriever

PASSAGES = ["An oval mass.", "Irregular, spiculated mass with shadowing.", ""]


@pytest.fixture
def retriever():
    return build_tiny_retriever(seed=3)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (rows, 120, 3), dtype=np.uint8) for rows in (90, 120, 200)]


def base_of(retriever, image, head):
    """The frozen embedding of an image in the space of a head."""
    features = pool_tokens(retriever.tower_tokens([image]), retriever.tower.config)
    with torch.no_grad():
        return retriever.projections.embed_features(features, head)[0].numpy()


def move_head(retriever, head, mix=0.15):
    torch.nn.init.normal_(retriever.projections.query_heads[head].weight)
    retriever.projections.config.query_mix = mix


def test_rows_are_unit_vectors(retriever, images):
    for rows in (retriever.encode_images(images), retriever.encode_passages(PASSAGES)):
        assert rows.shape == (3, TINY_DIM)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_different_cases_differ(retriever, images):
    for rows in (retriever.encode_images(images), retriever.encode_passages(PASSAGES)):
        assert (rows @ rows.T - 2 * np.eye(3)).max() < 0.9999


def test_batching_changes_nothing(retriever, images):
    alone = np.concatenate([retriever.encode_images([image]) for image in images])
    np.testing.assert_allclose(retriever.encode_images(images), alone, atol=1e-5)


def test_padding_a_passage_changes_nothing(retriever):
    alone = np.concatenate([retriever.encode_passages([text]) for text in PASSAGES[:2]])
    np.testing.assert_allclose(retriever.encode_passages(PASSAGES[:2]), alone, atol=1e-5)


def test_small_batches_change_nothing(retriever):
    args = (retriever.passages.model, retriever.passages.tokenizer, PASSAGES[:2] * 2)
    torch.testing.assert_close(
        encode_texts(*args, batch_size=1), encode_texts(*args), atol=1e-5, rtol=1e-5
    )


def test_no_passages_give_no_rows(retriever):
    assert encode_texts(retriever.passages.model, retriever.passages.tokenizer, []).shape == (0, 32)


def test_at_first_a_query_is_an_image_bit_by_bit(retriever, images):
    assert not retriever.projections.has_trained_heads
    query = retriever.encode_query(images[0])
    assert set(query) == set(HEADS)
    for head in HEADS:
        np.testing.assert_array_equal(query[head], base_of(retriever, images[0], head))
    np.testing.assert_array_equal(query["image"], retriever.encode_images(images[:1])[0])


@pytest.mark.parametrize("head", HEADS)
def test_a_query_without_its_heads_is_the_frozen_base(retriever, images, head):
    move_head(retriever, head)
    assert retriever.projections.has_trained_heads
    plain = retriever.encode_query(images[0], trained=False)
    assert set(plain) == set(HEADS)
    for each in HEADS:
        np.testing.assert_array_equal(plain[each], base_of(retriever, images[0], each))
        assert np.linalg.norm(plain[each]) == pytest.approx(1, abs=1e-6)
    assert np.abs(plain[head] - retriever.encode_query(images[0])[head]).max() > 1e-3


def test_a_moved_query_is_the_renormalized_mixture():
    """By hand: base (1, 0), head turns it to (0, 1) before the residual: moved (1, 1) / sqrt 2."""
    projections = Projections(RetrieverConfig(feature_size=2, passage_size=2, dim=2, query_mix=0.5))
    with torch.no_grad():
        projections.visual.weight.copy_(torch.eye(2))
        projections.query_heads["image"].weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    row = projections.embed_query(torch.tensor([[3.0, 0.0]]), "image")
    mixed = torch.tensor([0.5 + 0.5 / 2**0.5, 0.5 / 2**0.5])
    torch.testing.assert_close(row[0], mixed / mixed.norm())


def test_the_image_head_compares_around_its_mean():
    projections = Projections(RetrieverConfig(feature_size=3, passage_size=10, dim=2))
    with torch.no_grad():
        projections.visual.weight.copy_(torch.tensor([[2.0, 0, 0], [0, 1.0, 0]]))
        projections.visual_mean.copy_(torch.tensor([1.0, 1.0, 1.0]))
    row = projections.embed_features(torch.tensor([[2.5, 5.0, 9.0]]), "image")
    torch.testing.assert_close(row, torch.tensor([[0.6, 0.8]]))


def test_a_head_moves_its_own_query_only(retriever, images):
    before, base = retriever.encode_query(images[0]), retriever.encode_images(images[:1])
    move_head(retriever, "text")
    after = retriever.encode_query(images[0])
    np.testing.assert_array_equal(after["image"], before["image"])
    assert np.abs(after["text"] - before["text"]).max() > 1e-3
    assert np.linalg.norm(after["text"]) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(retriever.encode_images(images[:1]), base)


def test_no_mix_is_the_frozen_base(retriever, images):
    move_head(retriever, "text", mix=0.0)
    assert not retriever.projections.has_trained_heads
    base = base_of(retriever, images[0], "text")
    np.testing.assert_array_equal(retriever.encode_query(images[0])["text"], base)


def test_more_mix_moves_further(retriever, images):
    base = base_of(retriever, images[0], "text")
    kept = []
    for mix in (0.1, 0.5, 1.0):
        torch.manual_seed(0)
        move_head(retriever, "text", mix=mix)
        kept.append(float(retriever.encode_query(images[0])["text"] @ base))
    assert kept == sorted(kept, reverse=True)


def test_tokens_once_for_everything(retriever, images):
    tokens = retriever.tower_tokens(images[:1])
    np.testing.assert_array_equal(
        retriever.query_vectors(tokens)["image"], retriever.encode_query(images[0])["image"]
    )
    np.testing.assert_array_equal(
        retriever.encode_tokens(tokens), retriever.encode_images(images[:1])
    )


def test_the_fingerprint_follows_what_an_index_depends_on(retriever):
    first = retriever.fingerprint
    assert build_tiny_retriever(seed=3).fingerprint == first
    assert build_tiny_retriever(seed=4).fingerprint != first
    move_head(retriever, "image")
    assert retriever.compute_fingerprint() == first


@pytest.mark.parametrize("part", ["tower", "passages.model", "projections"])
def test_the_fingerprint_sees_one_changed_weight(retriever, part):
    with torch.no_grad():
        next(attrgetter(part)(retriever).parameters()).view(-1)[1] += 0.01
    assert retriever.compute_fingerprint() != retriever.fingerprint


def test_the_passage_encoder_is_read_when_a_passage_is(retriever):
    read = []

    def load():
        read.append(1)
        return retriever.passages.model, retriever.passages.tokenizer

    lazy = EmbeddedRetriever(
        retriever.tower, PassageEncoder(load), retriever.projections, retriever.fingerprint
    )
    lazy.encode_query(np.zeros((8, 8, 3), dtype=np.uint8))
    assert not read
    np.testing.assert_array_equal(
        lazy.encode_passages(PASSAGES[:1]), retriever.encode_passages(PASSAGES[:1])
    )
    lazy.encode_passages(PASSAGES[:1])
    assert read == [1]


def test_projections_start_as_they_should(tmp_path):
    projections = Projections(RetrieverConfig(feature_size=12, passage_size=10, dim=6))
    rows = projections.image.weight
    torch.testing.assert_close(rows @ rows.T, torch.eye(6), atol=1e-5, rtol=0)
    assert all(not head.weight.any() for head in projections.query_heads.values())
    projections.save_pretrained(tmp_path)
    loaded = Projections.from_pretrained(tmp_path)
    assert torch.equal(loaded.text.weight, projections.text.weight)
    assert loaded.config.query_mix == 0.15


def test_a_zero_head_still_gets_a_gradient():
    projections = Projections(RetrieverConfig(feature_size=12, passage_size=10, dim=6))
    target = torch.nn.functional.normalize(torch.randn(2, 6), dim=-1)
    score = (projections.embed_query(torch.randn(2, 12), "text") * target).sum()
    score.backward()
    assert projections.query_heads["text"].weight.grad.norm() > 0
    assert projections.query_heads["image"].weight.grad is None
