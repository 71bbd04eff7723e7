"""Stage align: targets by hand, four cases overfitted, query heads untouched."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jomed_app.config.training import AlignConfig
from jomed_app.data.records import CaseRecord
from jomed_app.models.number_type import autocast
from jomed_app.models.retriever.embedded import encode_texts
from jomed_app.training.align.train import (
    KeptTokens,
    KeptViews,
    encode_wordings,
    keep_views,
    occupancy_target,
    train_align,
)
from jomed_app.training.cases.image_set import load_images
from jomed_app.training.cases.kept_features import Views, keep_tokens
from jomed_app.training.cases.visual_space import fit_visual
from tests.tiny_models import build_tiny_retriever
from tests.training.localizer.small_cases import drawn_cases


def test_occupancy_of_one_token_by_hand():
    # The left half: upper left and lower left cell.
    left = occupancy_target(torch.tensor([[0.0, 0.0, 0.5, 1.0]]), 1)
    assert left.tolist() == [[[1.0, 0.0, 1.0, 0.0]]]
    # A quarter of the upper right cell.
    part = occupancy_target(torch.tensor([[0.5, 0.0, 0.75, 0.25]]), 1)
    assert part.tolist() == [[[0.0, 0.25, 0.0, 0.0]]]


def test_occupancy_goes_row_by_row():
    # The upper right quarter is the second of four tokens.
    target = occupancy_target(torch.tensor([[0.5, 0.0, 1.0, 0.5]]), 2)
    assert target.tolist() == [[[0] * 4, [1] * 4, [0] * 4, [0] * 4]]


def test_no_box_covers_nothing():
    assert not occupancy_target(torch.full((1, 4), torch.nan), 4).any()


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.floats(0, 0.6)] * 2), st.tuples(*[st.floats(0.05, 0.4)] * 2), st.integers(1, 8)
)
def test_occupancy_adds_up_to_the_area(corner, size, grid):
    x, y = corner
    target = occupancy_target(torch.tensor([[x, y, x + size[0], y + size[1]]]), grid)
    assert target.min() >= 0
    assert target.max() <= 1 + 1e-5
    assert float(target.sum()) / (2 * grid) ** 2 == pytest.approx(size[0] * size[1], abs=1e-4)


def test_images_are_read_with_their_largest_box(tmp_path):
    image = np.zeros((60, 120, 3), dtype=np.uint8)
    image[:, 60:] = 200
    Image.fromarray(image).save(tmp_path / "a.png")
    boxes = ((60.0, 0.0, 120.0, 60.0), (0.0, 0.0, 10.0, 10.0))
    shared = {"image": "a.png", "label": "x", "passage": "", "rows": 60, "columns": 120}
    records = [
        CaseRecord(case_id="a", boxes=boxes, **shared),
        CaseRecord(case_id="b", **shared),
    ]
    images = load_images(tmp_path, records, 64)
    assert images.boxes[0].tolist() == pytest.approx([0.5, 0.25, 1.0, 0.75])
    assert torch.isnan(images.boxes[1]).all()
    assert images.squares[0].shape == (64, 64, 3)
    assert images.pixel_values([1, 0]).shape == (2, 3, 64, 64)


def test_both_wordings_are_encoded():
    retriever, records = build_tiny_retriever(1), drawn_cases(3).records
    records[2].__dict__["extended_passage"] = ""  # a case without one uses its passage
    short, long = encode_wordings(retriever.passages.model, retriever.passages.tokenizer, records)
    texts = [*(record.passage for record in records), records[0].extended_passage]
    expected = encode_texts(retriever.passages.model, retriever.passages.tokenizer, texts)
    torch.testing.assert_close(short, expected[:3], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(long[0], expected[3], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(long[2], expected[2], atol=1e-5, rtol=1e-4)


def trained(out, **changes):
    retriever, images = build_tiny_retriever(1), drawn_cases(4)
    passages = encode_wordings(
        retriever.passages.model, retriever.passages.tokenizer, images.records
    )
    config = AlignConfig(**{"steps": 16, "batch_size": 4, "lr": 2e-3, **changes})
    history = train_align(retriever.tower, retriever.projections, images, passages, config, out)
    return retriever, history


def test_four_cases_are_learned(tmp_path):
    before = build_tiny_retriever(1)
    retriever, history = trained(tmp_path)
    losses = [each["loss"] for each in history]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    for head in retriever.projections.query_heads.values():
        assert not head.weight.any()
    assert not torch.equal(retriever.projections.image.weight, before.projections.image.weight)
    assert not torch.equal(retriever.tower.stem.weight, before.tower.stem.weight)
    assert not retriever.tower.training


def test_the_loss_is_the_sum_of_its_terms(tmp_path):
    _, history = trained(tmp_path, steps=1, localization_weight=3.0)
    first = history[0]
    assert first["loss"] == pytest.approx(first["infonce"] + 3 * first["place"], rel=1e-4)


def test_only_the_last_stage_learns_on_kept_views(tmp_path):
    retriever, images = build_tiny_retriever(1), drawn_cases(4)
    encoder, tower = retriever.passages, retriever.tower
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    passages = encode_wordings(encoder.model, encoder.tokenizer, images.records)
    maps = keep_views(tower, images, 2, seed=0)
    assert {each.shape[:2] for each in (*maps.kept, maps.boxes)} == {(2, 4)}
    torch.testing.assert_close(maps.boxes[0], images.boxes, equal_nan=True)
    assert maps.of_images(slice(1, 3)).boxes.shape == (2, 2, 4)
    config = AlignConfig(steps=3, batch_size=4, trained="last", loss="graph+infonce")
    train_align(
        tower,
        retriever.projections,
        images,
        passages,
        config,
        tmp_path,
        source=KeptViews(tower, maps),
    )
    moved = {name for name, value in tower.state_dict().items() if not before[name].equal(value)}
    assert moved
    assert {name.split(".")[1] for name in moved} == {"6"}


def test_kept_views_give_what_the_tower_gives():
    tower, images = build_tiny_retriever(1).tower, drawn_cases(4)
    maps = keep_views(tower, images, 1, seed=0)
    with torch.no_grad(), autocast():
        tokens, _ = KeptViews(tower, maps)(torch.arange(4), torch.Generator())
        direct = tower(images.pixel_values(range(4))).last_hidden_state
    torch.testing.assert_close(tokens, direct.float(), atol=0.05, rtol=0.05)


def test_a_place_that_was_never_drawn_teaches_nothing(tmp_path):
    retriever, images = build_tiny_retriever(1), drawn_cases(4)
    encoder = retriever.passages
    unknown = dataclasses.replace(images, annotated=torch.zeros(4, dtype=torch.bool))
    history = train_align(
        retriever.tower,
        retriever.projections,
        unknown,
        encode_wordings(encoder.model, encoder.tokenizer, images.records),
        AlignConfig(steps=1, batch_size=4),
        tmp_path,
    )
    assert history[0]["place"] == 0
    assert history[0]["loss"] == pytest.approx(history[0]["infonce"])


def test_the_visual_space_is_fitted_without_touching_the_rest():
    projections = build_tiny_retriever(1).projections
    before = {name: value.clone() for name, value in projections.state_dict().items()}
    scale = torch.linspace(0.1, 3, projections.config.feature_size)
    features = torch.randn(40, projections.config.feature_size) * scale + 5
    fitted = fit_visual(projections, features)
    for name, value in projections.state_dict().items():
        assert torch.equal(value, before[name]), name
        if not name.startswith("visual"):
            assert torch.equal(fitted.state_dict()[name], value), name
    torch.testing.assert_close(fitted.visual_mean, features.mean(0))
    rows = (features - fitted.visual_mean) @ fitted.visual.weight.T
    covariance = rows.T @ rows / (len(rows) - 1)
    spread = covariance.diagonal()
    off = covariance - torch.diag(spread)
    assert off.abs().max() < 1e-3  # principal components do not go together
    assert (spread.diff() <= 1e-6).all()  # the leading one first
    assert spread.max() < 1  # whitening is held back


def test_a_seed_gives_one_run(tmp_path):
    losses = [trained(tmp_path / str(run), steps=2)[1][1]["loss"] for run in range(2)]
    assert losses[0] == losses[1]


def test_a_frozen_tower_stays_and_its_kept_tokens_teach_the_projections(tmp_path):
    retriever, images = build_tiny_retriever(1), drawn_cases(4)
    encoder, tower = retriever.passages, retriever.tower
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    start = retriever.projections.image.weight.clone()
    passages = encode_wordings(encoder.model, encoder.tokenizer, images.records)
    source = KeptTokens(*keep_tokens(tower, images, Views(2), None))
    tower.forward = None
    config = AlignConfig(steps=3, batch_size=4, trained="none")
    history = train_align(
        tower, retriever.projections, images, passages, config, tmp_path, source=source
    )
    assert len(history) == 3
    assert all(torch.equal(value, before[name]) for name, value in tower.state_dict().items())
    assert not torch.equal(retriever.projections.image.weight, start)
    rows = torch.tensor([2, 0])
    tokens, boxes = source(rows, torch.Generator().manual_seed(0))
    assert tokens.dtype is torch.float32
    assert tokens.shape[:2] == (2, tower.config.grid**2)
    assert boxes.shape == (2, 4)
