"""Near-duplicates: by hand, chains, and what is taken out of training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.data import twins
from jomed_app.data.twins import (
    TWIN_SPLIT,
    correlations,
    group_pictures,
    group_twins,
    have_twins,
    hold_out_twins,
    joined_groups,
    linked_groups,
)
from jomed_app.errors import RecordError
from tests.data.formats.boxed_images import draw_image


def test_darker_and_smaller_copies_are_twins(tmp_path):
    draw_image(tmp_path / "a.png", 128, 128, seed=1)
    draw_image(tmp_path / "b.png", 128, 128, seed=2)
    draw_image(tmp_path / "c.jpg", 96, 64, seed=1, gain=0.5)
    draw_image(tmp_path / "d.png", 64, 64, seed=2)
    assert group_twins(tmp_path, ["a.png", "b.png", "c.jpg", "d.png"]) == [0, 1, 0, 1]
    assert group_twins(tmp_path, []) == []


def test_a_higher_bound_parts_what_merely_looks_alike(tmp_path):
    from PIL import Image

    pattern = np.random.default_rng(0).integers(0, 200, (32, 32))
    noise = np.random.default_rng(1).integers(-25, 26, (32, 32))
    for name, values in (("a.png", pattern), ("b.png", np.clip(pattern + noise, 0, 255))):
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / name)
    assert group_twins(tmp_path, ["a.png", "b.png"]) == [0, 0]
    assert group_twins(tmp_path, ["a.png", "b.png"], 0.99) == [0, 1]


def test_correlations_by_hand():
    images = np.array([[[0.0, 1.0]], [[5.0, 9.0]], [[1.0, 0.0]], [[3.0, 3.0]]])
    expected = [[1, 1, -1, 0], [1, 1, -1, 0], [-1, -1, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(correlations(images), expected, atol=1e-12)


def test_pixels_in_memory_are_compared_with_known_ones():
    blocks = np.random.default_rng(0).integers(0, 200, (3, 8, 6, 1))
    first, second, third = np.kron(blocks, np.ones((1, 8, 8, 3))).astype(np.uint8)
    darker = first // 2
    found = have_twins([darker, second], [third, first])
    assert found.tolist() == [True, False]
    assert have_twins([darker[..., 0]], [first]).tolist() == [True], "gray or colors"
    assert have_twins([darker], [first], 0.9999999).tolist() == [False]
    assert have_twins([first, second], [first, second, third]).tolist() == [True, True]
    assert have_twins([first], []).tolist() == [False]
    assert have_twins([], [first]).tolist() == []


def test_a_missing_image_is_said_by_its_row(tmp_path):
    draw_image(tmp_path / "a.png", 8, 8)
    with pytest.raises(RecordError, match="row 1 must name an image that can be read"):
        group_twins(tmp_path, ["a.png", "b.png"])


def test_training_twins_of_held_out_images_are_taken_out():
    groups = [0, 0, 1, 1, 2, 2, 3]
    splits = ["train", "val", "train", "train", "val", "test", "train"]
    assert hold_out_twins(groups, splits) == [
        TWIN_SPLIT, "val", "train", "train", TWIN_SPLIT, "test", "train",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["train", "val", "test", "", "x"]))))
def test_no_group_stands_on_two_sides(cases):
    groups, splits = [group for group, _ in cases], [split for _, split in cases]
    held = hold_out_twins(groups, splits)
    rank = {"val": 1, "test": 2}
    for group in set(groups):
        sides = {rank.get(s, 0) for g, s in zip(groups, held, strict=True)
                 if g == group and s != TWIN_SPLIT}  # fmt: skip
        assert len(sides) == 1
    for before, after in zip(splits, held, strict=True):
        assert after in (before, TWIN_SPLIT)


def test_groups_of_two_namings_are_joined():
    assert joined_groups(["a", "a", "b", "", "", "c"], [0, 1, 1, 2, 2, 3]) == [0, 0, 0, 1, 1, 2]
    assert joined_groups(["", ""], [0, 1]) == [0, 1], "an empty name is nobody's"
    assert joined_groups([], []) == []


def test_links_are_found_whatever_the_block(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(40, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whole = linked_groups(rows, 0.95)
    monkeypatch.setattr(twins, "BLOCK", 7)
    assert linked_groups(rows, 0.95) == whole
    assert 1 < len(set(whole)) < 40


def test_the_tower_finds_what_pixels_miss():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 256, (2, 32, 32), np.uint8)
    images = [first, first, np.flip(first, 1), second]
    vectors = np.array([[1, 0], [0.6, 0.8], [1, 0], [0, 1]], np.float32)
    found = group_pictures(images, vectors)
    assert found.groups == [0, 0, 0, 1]
    assert (found.by_pixels, found.by_tower) == (2, 2)
