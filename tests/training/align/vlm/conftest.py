"""Tiny readers as they come, and triples of different images and words."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from jomed_app.config.backbones import ReaderBackbone
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.source import find_model
from jomed_app.training.align.vlm.train import Triple
from tests.tiny_vlms import write_tiny_vlm

WORDS = ("oval parallel cyst", "irregular margin", "round shadow", "ductal carcinoma", "normal")


@pytest.fixture(scope="session")
def vlm_folder(tmp_path_factory):
    """Name of a family -> folder of its tiny checkpoint."""
    root = tmp_path_factory.mktemp("aligned_vlms")
    return functools.cache(lambda name: write_tiny_vlm(name, root / name))


@pytest.fixture(scope="session")
def load_reader(vlm_folder):
    """Load a family's tiny reader."""

    def load(name, **settings):
        chosen = ReaderBackbone(
            model=str(vlm_folder(name)), **{"precision": "fp32", "device": "cpu"} | settings
        )
        return load_vlm(find_model(chosen.model, "", "reader"), chosen)[0]

    return load


@pytest.fixture(scope="session")
def triples():
    """As many images of one color and texts as there are words."""
    draw = np.random.default_rng(0)
    pictures = [
        np.broadcast_to(draw.integers(0, 255, 3, dtype=np.uint8), (60, 80, 3)) for _ in WORDS
    ]
    return [
        Triple(lambda each=each: each, words, f"What is seen: {words}, benign.")
        for each, words in zip(pictures, WORDS, strict=True)
    ]
