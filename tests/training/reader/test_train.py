"""Stage reader: it learns on a handful of rows, and the vision tower does not move."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.config.training import ReaderTrainingConfig
from jomed_app.models.adapters import attach_lora
from jomed_app.models.pixels import to_pixel_values
from jomed_app.training.cases.kept_features import Views
from jomed_app.training.cases.tower_tokens import embed_tokens, encode_corpus_tokens, keep_views
from jomed_app.training.reader.packed_learner import PackedLearner
from jomed_app.training.reader.sampling import RowSampler
from jomed_app.training.reader.train import build_pool, epoch_rows, train_reader
from jomed_app.training.run.loop import LoopSettings
from tests.tiny_models import build_tiny_reader, build_tiny_retriever
from tests.training.localizer.small_cases import TASK, drawn_cases

NUM_CASES = 6
QUERIES = np.arange(NUM_CASES)


def tuned(out, steps, **changes):
    """A tiny reader tuned for some steps; returns it, its tower before, and the log."""
    images = drawn_cases(NUM_CASES)
    reader = build_tiny_reader(5, TASK.answer_words)
    torch.manual_seed(0)  # of the adapters
    attach_lora(reader.model, rank=4, alpha=8)
    tower = {n: v.clone() for n, v in reader.model.model.vision_tower.state_dict().items()}
    tokens = encode_corpus_tokens(reader, images)
    groups = [record.group for record in images.records]
    pool = build_pool(tokens.float().mean(1).numpy(), groups, QUERIES, QUERIES)
    values = {"batch_size": 3, "num_candidates": 2, "lr": 5e-3, "seed": 1}
    config = ReaderTrainingConfig(steps=steps, **{**values, **changes})
    shares = {int(query): {"all": 1.0} for query in QUERIES}
    sampler = RowSampler(TASK, images.records, {"all": pool}, shares, config, 16)
    kept = keep_views(reader, images, Views(config.views)) if config.views else None
    if kept:
        reader.tower.register_forward_pre_hook(refuse)  # it need not run any more
    learner = PackedLearner(reader, images, tokens, config.label_smoothing, kept)
    settings = LoopSettings(steps, config.lr, weight_decay=config.weight_decay)
    history = train_reader(
        learner, sampler, QUERIES, settings, out, batch_size=config.batch_size, seed=config.seed
    )
    return reader, tower, history


def test_the_loss_falls_and_the_tower_stays(tmp_path):
    reader, tower, history = tuned(tmp_path, 8)
    losses = [each["loss"] for each in history]
    assert np.mean(losses[-2:]) < 0.9 * np.mean(losses[:2])
    after = reader.model.model.vision_tower.state_dict()
    assert all(torch.equal(after[name], value) for name, value in tower.items())
    assert not reader.model.training
    assert all(each["grad_norm"] > 0 for each in history)


def refuse(*_):
    raise AssertionError("the tower ran")


def test_kept_views_teach_without_the_tower(tmp_path):
    _, _, history = tuned(tmp_path, 8, views=2)
    losses = [each["loss"] for each in history]
    assert np.mean(losses[-2:]) < 0.9 * np.mean(losses[:2])


def test_what_learned(tmp_path):
    reader, _, _ = tuned(tmp_path, 2)
    plain = build_tiny_reader(5, TASK.answer_words)
    fresh = plain.model.model
    moved = reader.model.model
    assert not torch.equal(
        moved.multi_modal_projector.linear_1.weight, fresh.multi_modal_projector.linear_1.weight
    )
    adapters = [v for n, v in reader.model.named_parameters() if "lora_B" in n]
    assert all(value.abs().max() > 0 for value in adapters)
    base = {n: v for n, v in moved.language_model.named_parameters() if "base_layer" in n}
    for name, value in base.items():
        same = fresh.language_model.get_parameter(name.replace(".base_layer", ""))
        assert torch.equal(value, same), name


def test_comparisons_and_hidden_blocks_can_be_learned_from(tmp_path):
    _, _, history = tuned(tmp_path, 2, comparison_share=0.5, hidden_share=1.0, plain_share=1.0)
    assert all(np.isfinite(each["loss"]) for each in history)


def test_a_seed_gives_one_run(tmp_path):
    runs = [tuned(tmp_path / str(run), 2)[2] for run in range(2)]
    assert runs[0] == runs[1]


def test_corpus_tokens_are_the_towers():
    reader, images = build_tiny_reader(5), drawn_cases(3)
    tokens = encode_corpus_tokens(reader, images, batch_size=2)
    encoded = reader.encode_pixels(to_pixel_values(images.squares))
    expected = torch.stack([each.tokens for each in encoded])
    # bf16 keeps 8 bits
    torch.testing.assert_close(tokens.float(), expected, atol=1e-2, rtol=1e-2)


def test_embedded_tokens_are_the_retrievers():
    retriever, images = build_tiny_retriever(5), drawn_cases(3)
    tokens = retriever.tower_tokens(images.squares)
    rows = embed_tokens(retriever.projections, tokens, retriever.tower.config)
    np.testing.assert_allclose(rows, retriever.encode_images(images.squares), atol=1e-5)


def test_a_pool_is_ranked_and_leaves_the_own_group_out():
    embeddings = np.array([[1, 0], [0.9, 0.1], [0.5, 0.5], [0, 1]], dtype=np.float32)
    pool = build_pool(embeddings, ["a", "a", "b", "c"], np.array([0, 3]), np.arange(4))
    assert pool.neighbors[0].tolist() == [2, 3]
    assert pool.neighbors[3].tolist() == [2, 1, 0]


def test_only_members_are_candidates():
    embeddings = np.eye(4, dtype=np.float32)
    pool = build_pool(embeddings, list("abcd"), np.array([0]), np.array([1, 3]))
    assert pool.neighbors[0].tolist() == [1, 3]


def test_an_epoch_asks_about_every_query_once():
    queries = np.arange(10, 16)
    epochs = [
        np.concatenate([epoch_rows(queries, 2 * epoch + half, 3, 2) for half in (0, 1)])
        for epoch in (0, 1)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(queries)
    assert list(epochs[0]) != list(epochs[1])


@pytest.mark.parametrize("size", [1, 5, 64])
def test_a_step_never_asks_more_than_there_is(size):
    rows = epoch_rows(np.arange(5), 3, size, 0)
    assert len(rows) == min(size, 5)
