"""The localizer learns a handful of boxes by heart; the tower it reads from does not move."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.models.localizer import Localizer, LocalizerConfig
from jomed_app.models.tiny import build_tiny_reader
from jomed_app.stage_config import LocalizerTrainingConfig
from jomed_app.training.localize import ViewTokens, encode_views, train_localizer
from jomed_app.training.reader import encode_corpus_tokens
from tests.training.small_cases import drawn_cases

ROWS = np.arange(6)  # the third and the last have no box
CONFIG = LocalizerTrainingConfig(batch_size=6, num_views=1, weight_decay=0.0)


@pytest.fixture(scope="module")
def reader():
    return build_tiny_reader(5)


@pytest.fixture(scope="module")
def views(reader):
    return encode_views(reader, drawn_cases(6), 1, 0)


def fresh(views: ViewTokens) -> Localizer:
    torch.manual_seed(0)
    size = views.tokens.shape[-1]
    return Localizer(LocalizerConfig(token_size=size, width=48, num_layers=1, location_bins=16))


def train(localizer, views, out, steps, rows=ROWS, **more):
    return train_localizer(localizer, views, rows, CONFIG, out, steps=steps, lr=3e-3, **more)


def test_a_handful_of_boxes_is_learned_by_heart(views, tmp_path):
    localizer = fresh(views)
    before = localizer.eval().locate(views.tokens[0].float())
    history = train(localizer, views, tmp_path, 60)
    losses = [each["loss"] for each in history]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert not localizer.training
    after = localizer.locate(views.tokens[0].float())
    truth = views.boxes[0]
    has_box = (~truth.isnan().any(-1)).tolist()
    assert has_box == [True, True, False] * 2

    def error(found):
        told = torch.tensor([each.box.as_tuple() for each in found])
        return (told - truth).abs()[has_box].mean().item()

    assert error(after) < 0.6 * error(before)
    presence = np.array([each.presence for each in after])
    assert presence[has_box].min() > presence[np.logical_not(has_box)].max()


def test_the_tower_does_not_move(reader, tmp_path):
    tower = reader.model.model.vision_tower
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    views = encode_views(reader, drawn_cases(4), 2, 0)
    train(fresh(views), views, tmp_path, 2, np.arange(4))
    assert all(torch.equal(value, before[name]) for name, value in tower.state_dict().items())
    assert not views.tokens.requires_grad


def test_the_first_view_is_the_image_itself(reader):
    images = drawn_cases(4)
    views = encode_views(reader, images, 3, 0, batch_size=3)
    assert views.tokens.shape[:2] == views.boxes.shape[:2] == (3, 4)
    plain = encode_corpus_tokens(reader, images).float()
    torch.testing.assert_close(views.tokens[0].float(), plain, atol=2e-2, rtol=2e-2)
    torch.testing.assert_close(views.boxes[0], images.boxes, equal_nan=True)
    assert not torch.equal(views.tokens[1], views.tokens[0])
    assert not torch.equal(views.tokens[2], views.tokens[1])
    assert views.boxes[:, 2].isnan().all(), "an image without a box has none in any view"


def test_views_follow_their_seed(reader):
    first, again, other = (encode_views(reader, drawn_cases(2), 2, seed) for seed in (0, 0, 1))
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.tokens[1], other.tokens[1])


def test_cases_without_a_box_teach_presence_alone(views, tmp_path):
    history = train(fresh(views), views, tmp_path, 2, np.array([2, 5]))
    assert [each["place"] for each in history] == [0.0, 0.0]
    assert all(each["loss"] == pytest.approx(0.5 * each["presence"]) for each in history)


def test_a_finished_part_is_not_trained_again(views, tmp_path):
    first = fresh(views)
    train(first, views, tmp_path, 2)
    second = fresh(views)
    assert train(second, views, tmp_path, 2, resume=True) == []
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name
