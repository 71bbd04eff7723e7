"""Tiny readers of every family, written and loaded once a session."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from jomed_app.config.backbones import ReaderBackbone
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.source import find_model
from tests.tiny_vlms import FAMILIES, write_tiny_vlm

QUESTION = "What is the diagnosis?"
SHAPES = ((90, 140), (120, 80), (100, 100), (70, 130))


@pytest.fixture(scope="session")
def vlm_folder(tmp_path_factory):
    """Name of a family -> folder of its tiny checkpoint."""
    root = tmp_path_factory.mktemp("vlms")
    return functools.cache(lambda name: write_tiny_vlm(name, root / name))


@pytest.fixture(scope="session")
def load_tiny(vlm_folder):
    """Load a family's tiny reader with settings."""

    def load(name, **settings):
        folder = vlm_folder(name)
        chosen = ReaderBackbone(
            model=str(folder), **{"precision": "fp32", "device": "cpu"} | settings
        )
        return load_vlm(find_model(chosen.model, "", "reader"), chosen)[0]

    return load


@pytest.fixture(scope="session")
def tiny_vlm(load_tiny):
    """Name of a family -> its tiny reader in fp32; it holds no case, so tests may share it."""
    return functools.cache(load_tiny)


@pytest.fixture(params=FAMILIES)
def family(request):
    """Every family in turn."""
    return request.param


@pytest.fixture(scope="session")
def pictures():
    """A query and three candidates, none of them alike, one of them square."""
    draw = np.random.default_rng(0)
    return [draw.integers(0, 255, (*shape, 3), dtype=np.uint8) for shape in SHAPES]
