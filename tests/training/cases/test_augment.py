"""Random views: a box stays where the picture of its lesion went."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.training.cases.augment import random_view, view_batches
from tests.training.localizer.small_cases import drawn_cases

SIDE = 96
BLACK = -127 / 128


def painted(box):
    """(1, 3, S, S) black image with a white rectangle; box in shares of the side."""
    image = torch.full((1, 3, SIDE, SIDE), BLACK)
    x0, y0, x1, y1 = (round(value * SIDE) for value in box)
    image[..., y0:y1, x0:x1] = 1.0
    return image


def extent(image):
    """XYXY share of the side covered by what is brighter than half."""
    ys, xs = torch.nonzero(image[0, 0] > 0, as_tuple=True)
    return torch.stack([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / SIDE


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
    st.tuples(st.integers(16, 36), st.integers(16, 36)),
)
def test_a_box_is_the_extent_of_what_it_enclosed(seed, corner, size):
    box = [v / SIDE for v in (*corner, corner[0] + size[0], corner[1] + size[1])]
    generator = torch.Generator().manual_seed(seed)
    view = random_view(painted(box), torch.tensor([box]), generator, contrast=0.0)
    if torch.isnan(view.boxes).any():
        shown = (view.pixel_values[0, 0] > 0).float().mean()
        # Zoomed by at least 0.8 and less than a quarter left.
        assert shown <= 0.3 * 1.2**2 * (box[2] - box[0]) * (box[3] - box[1])
    else:
        torch.testing.assert_close(
            view.boxes[0], extent(view.pixel_values), atol=1.5 / SIDE, rtol=0
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_depth_runs_downwards(seed):
    image = painted([0.3, 0.1, 0.7, 0.3])
    generator = torch.Generator().manual_seed(seed)
    view = random_view(image, torch.full((1, 4), torch.nan), generator)
    bright = view.pixel_values[0, 0] - BLACK
    assert bright[: SIDE // 2].sum() > bright[SIDE // 2 :].sum()


def test_nothing_asked_changes_nothing():
    image = torch.rand(2, 3, SIDE, SIDE) * 1.9 + BLACK
    boxes = torch.tensor([[0.1, 0.2, 0.5, 0.6], [torch.nan] * 4])
    view = random_view(image, boxes, torch.Generator(), zoom=0, shift=0, contrast=0, flip=False)
    # grid_sample interpolates in float32 at coordinates that are not whole to the last bit
    torch.testing.assert_close(view.pixel_values, image, atol=1e-4, rtol=0)
    torch.testing.assert_close(view.boxes, boxes, equal_nan=True)


def test_about_half_are_mirrored():
    image = painted([0.1, 0.4, 0.3, 0.6]).expand(64, -1, -1, -1)
    boxes = torch.tensor([[0.1, 0.4, 0.3, 0.6]]).expand(64, -1)
    view = random_view(image, boxes, torch.Generator().manual_seed(0), zoom=0, shift=0)
    mirrored = view.boxes[:, 0] > 0.5
    assert 16 < mirrored.sum() < 48
    expected = torch.tensor([0.7, 0.4, 0.9, 0.6])
    torch.testing.assert_close(view.boxes[mirrored][0], expected)


def test_pixels_stay_in_range():
    image = torch.rand(8, 3, 32, 32) * 2 + BLACK
    view = random_view(image, torch.full((8, 4), torch.nan), torch.Generator().manual_seed(1))
    assert view.pixel_values.min() >= BLACK - 1e-6
    assert view.pixel_values.max() <= 2 + BLACK + 1e-6


def test_contrast_changes_gray_levels_only():
    image = painted([0.2, 0.2, 0.8, 0.8]).expand(8, -1, -1, -1) * 0.5
    boxes = torch.tensor([[0.2, 0.2, 0.8, 0.8]]).expand(8, -1)
    view = random_view(image, boxes, torch.Generator().manual_seed(1), zoom=0, shift=0, flip=False)
    torch.testing.assert_close(view.boxes, boxes)
    assert view.pixel_values[:, 0, SIDE // 2, SIDE // 2].std() > 0.01


def test_no_box_stays_no_box():
    view = random_view(
        painted([0.2, 0.2, 0.8, 0.8]), torch.full((1, 4), torch.nan), torch.Generator()
    )
    assert torch.isnan(view.boxes).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_gives_one_view(seed):
    image, boxes = torch.rand(3, 3, 32, 32), torch.rand(3, 2).repeat(1, 2)
    boxes[:, 2:] += 0.2
    views = [random_view(image, boxes, torch.Generator().manual_seed(seed)) for _ in range(2)]
    assert torch.equal(views[0].pixel_values, views[1].pixel_values)
    assert torch.equal(views[0].boxes.nan_to_num(), views[1].boxes.nan_to_num())


def test_the_first_view_is_the_image_itself_and_the_others_are_not():
    images = drawn_cases(5)
    generator = torch.Generator().manual_seed(0)
    plain = list(view_batches(images, 0, generator, 2))
    assert [len(each.boxes) for each in plain] == [2, 2, 1]
    whole = torch.cat([each.pixel_values for each in plain])
    assert torch.equal(whole, images.pixel_values(range(5)))
    torch.testing.assert_close(
        torch.cat([each.boxes for each in plain]), images.boxes, equal_nan=True
    )
    seen = torch.cat([each.pixel_values for each in view_batches(images, 1, generator, 2)])
    assert seen.shape == whole.shape
    assert not torch.equal(seen, whole)
