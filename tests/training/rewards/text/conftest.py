"""Tiny readers of every family that were taught two answers, and cases to reward."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from jomed_app.boxes import Box
from jomed_app.config.backbones import ReaderBackbone
from jomed_app.data.tasks import load_task
from jomed_app.models.reader.vlm.load import load_vlm
from jomed_app.models.source import find_model
from jomed_app.training.rewards.text.case import RewardedCase
from jomed_app.training.rewards.text.statements import answer_of, question_of
from tests.tiny_vlms import write_tiny_vlm

QUESTION = "What is the diagnosis?"
TRUE_BOX, WRONG_BOX = Box(0.5, 0.5, 0.9, 0.9), Box(0.1, 0.1, 0.5, 0.5)
WARM_STEPS, WARM_LR = 60, 3e-3


@pytest.fixture(scope="session")
def task():
    return load_task("breast").model_copy(update={"question": QUESTION})


@pytest.fixture(scope="session")
def picture():
    return np.random.default_rng(0).integers(0, 255, (90, 140, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def case(picture):
    """A malignant lesion, lower right."""
    return RewardedCase(lambda: picture, "malignant", {}, [TRUE_BOX])


@pytest.fixture(scope="session")
def vlm_folder(tmp_path_factory):
    """Name of a family -> folder of its tiny checkpoint."""
    root = tmp_path_factory.mktemp("rewarded_vlms")
    return functools.cache(lambda name: write_tiny_vlm(name, root / name))


@pytest.fixture(scope="session")
def load_reader(vlm_folder):
    """Load a family's tiny reader as it was written."""

    def load(name, precision="fp32"):
        settings = ReaderBackbone(model=str(vlm_folder(name)), precision=precision, device="cpu")
        return load_vlm(find_model(settings.model, "", "reader"), settings)[0]

    return load


@pytest.fixture(scope="session")
def answers_of(task):
    """The true answer of a case and the answer that is wrong in both words, in ids."""

    def written(reader, size):
        return [
            reader.writer.answer(answer_of(task, reader.family, label, box, size), complete=True)
            for label, box in (("malignant", TRUE_BOX), ("benign", WRONG_BOX))
        ]

    return written


@pytest.fixture(scope="session")
def warm_reader(load_reader, answers_of, task, picture):
    """A fresh reader whose weights were taught, in a few supervised steps, to give two answers.

    A random model writes no box that could be rewarded. After this it says either answer, right
    or wrong, about as often; all that it learns later of which one is right comes from rewards.
    """

    def load(name):
        reader = load_reader(name)
        with torch.no_grad():
            image = reader.encoder.see(picture)
        row = reader.writer.question(image, question_of(task, reader.family))
        given = reader.inputs.padded([row] * 2, answers_of(reader, image.size))
        model = reader.model
        parts = torch.nn.ModuleList([model.get_decoder(), model.get_output_embeddings()])
        learns = list(parts.parameters())  # tied ones once
        for weight in learns:
            weight.requires_grad_(True)
        optimizer = torch.optim.AdamW(learns, lr=WARM_LR)
        for _ in range(WARM_STEPS):
            optimizer.zero_grad()
            model(**given, use_cache=False).loss.backward()
            optimizer.step()
        model.requires_grad_(False)
        model.zero_grad()
        return reader

    return load
