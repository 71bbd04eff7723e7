from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from jomed_app.data.sources.foreign import PER_SET, foreign_images
from tests.tiny_bundle import png_bytes


@pytest.fixture(scope="module")
def own():
    return list(foreign_images(None))


def test_photographs_and_patterns_come_without_any_data(own):
    assert len(own) == 200  # 60 crops of two photographs each, 80 patterns
    for image in own:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert min(image.shape[:2]) >= 64


def test_color_and_gray_both_occur(own):
    is_gray = [bool((image == image[..., :1]).all()) for image in own]
    assert is_gray.count(False) == 60
    assert is_gray.count(True) == 140


def test_no_pattern_repeats(own):
    assert len({image.tobytes() for image in own}) == len(own)


def test_the_seed_alone_decides(own):
    again = list(foreign_images(None))
    assert all((a == b).all() for a, b in zip(own, again, strict=True))
    other = next(foreign_images(None, seed=1))
    assert other.shape != own[0].shape or (other != own[0]).any()


@pytest.fixture
def data(tmp_path):
    """Another set of images, the task's own set, and a table of small pictures."""
    colors = {"chest": 10, "breastmnist_busi": 200}
    for name, value in colors.items():
        folder = tmp_path / name / "images" / "deeper"
        folder.mkdir(parents=True)
        for place in range(3):
            gray = np.full((70, 80), value + place, dtype=np.uint8)
            Image.fromarray(gray).save(folder / f"{place}.png")
    (tmp_path / "retina").mkdir()
    small = np.full((28, 28, 3), (120, 0, 0), dtype=np.uint8)
    pd.DataFrame({"png": [png_bytes(small)]}).to_parquet(tmp_path / "retina" / "retina.parquet")
    pd.DataFrame({"other": [1]}).to_parquet(tmp_path / "chest" / "table.parquet")
    return tmp_path


def test_other_sets_are_read_and_the_own_one_is_not(data, own):
    images = list(foreign_images(data))
    assert len(images) == 3 + 1 + len(own)
    assert sorted(int(image[0, 0, 0]) for image in images[:3]) == [10, 11, 12]
    assert images[3].shape == (256, 256, 3)
    assert tuple(images[3][0, 0]) == (120, 0, 0)
    assert all(int(image.mean()) != 200 for image in images[:4])


def test_a_large_set_is_sampled(data):
    folder = data / "chest" / "images"
    for place in range(PER_SET + 5):
        Image.fromarray(np.full((64, 64), 50, dtype=np.uint8)).save(folder / f"x{place}.png")
    from itertools import islice

    flat = [image for image in islice(foreign_images(data), PER_SET + 1) if image.std() == 0]
    assert len([image for image in flat if image.shape != (256, 256, 3)]) == PER_SET
