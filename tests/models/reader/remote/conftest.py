"""A server over a table of hand-made probabilities, and readers over it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jomed_app.config.remote import RemoteReaderConfig
from jomed_app.models.reader.remote.load import load_remote
from tests.models.reader.remote.chat_server import END, ChatServer, served

TOKENS = {
    "malignant": ["malig", "nant"],
    " malignant": [" malig", "nant"],
    "benign cyst": ["benign", " cyst"],
}
FIRST = {"normal": 0.5, "benign": 0.25, "malig": 0.125, " malig": 0.0625}
SECOND = {"nant": 0.75, " cyst": 0.2, END: 0.05}
LAST = {END: 0.8}


def table(messages, said):
    """Probabilities by the number of tokens said; a candidate makes "benign" likelier."""
    found = dict([FIRST, SECOND, LAST][min(len(said), 2)])
    if not said and any("Reference: none" not in str(each) for each in messages):
        found["benign"], found["normal"] = 0.5, 0.25
    if said and said[-1] in ("normal", "benign"):
        found[END] = 0.6
    likeliest = sorted(found.items(), key=lambda each: -each[1])
    return [(token, math.log(value)) for token, value in likeliest]


def make_server(**settings):
    """A server over the table."""
    return ChatServer(lambda text: list(TOKENS.get(text, [text])), table, **settings)


@pytest.fixture
def server():
    with served(make_server()) as state:
        yield state


@pytest.fixture
def reader_of():
    """Server -> a reader over it, which is closed after the test."""
    opened = []

    def build(state, **settings):
        values = {"url": state.url, "model": "tiny", "server": state.dialect} | settings
        reader = load_remote(RemoteReaderConfig(**values))
        opened.append(reader)
        return reader

    yield build
    for reader in opened:
        reader._client.close()


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def reading_of(image):
    """Reader -> its reading of a query beside one candidate, and beside none."""

    def read(reader, question="What is it?", label="benign", passage="A cyst."):
        query, other = reader.encode([image, 255 - image])
        return reader.read(query, question, [reader.candidate(other, label, passage)])

    return read
