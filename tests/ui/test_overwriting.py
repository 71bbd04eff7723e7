"""Overwriting pixels: the whole array behind a part, wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.ui.overwriting import overwrite, whole_arrays
from tests.ui.fake_engine import png_bytes


@dataclass
class Inner:
    values: np.ndarray | None


@dataclass
class Outer:
    pixels: np.ndarray
    inner: Inner | None
    name: str = "x"


def test_the_whole_array_is_found_behind_every_part():
    whole, other = np.ones((4, 6), np.uint8), np.ones(3)
    part = whole[1:3, ::2]
    part.setflags(write=False)
    found = list(whole_arrays(Outer(part, Inner(other[:2]))))
    assert [each is known for each, known in zip(found, (whole, other), strict=True)] == [True] * 2
    assert [overwrite(each) for each in found] == [True, True]
    assert not whole.any()
    assert not other.any()
    assert len(list(whole_arrays(Outer(whole, Inner(None))))) == 1
    assert len(list(whole_arrays(Outer(whole, None)))) == 1


@pytest.mark.parametrize("read", [read_image, read_untrusted])
def test_every_array_of_a_decoded_image_can_be_overwritten(read):
    image = read(png_bytes())
    assert all(overwrite(each) for each in whole_arrays(image))
    assert not image.model_input.any()
    assert not image.picture.rendering.any()


def test_memory_that_python_holds_constant_is_left():
    assert not overwrite(np.frombuffer(b"constant", np.uint8))
