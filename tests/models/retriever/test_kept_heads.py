"""Query heads on disk: whole, of this retriever, or one sentence."""

from __future__ import annotations

import pytest
import torch

from jomed_app.errors import ConfigError
from jomed_app.models.retriever.kept_heads import HEADS_FILE, load_query_heads, save_query_heads
from jomed_app.models.retriever.query_heads import zero_heads

DIM = 3


@pytest.fixture
def kept(tmp_path):
    heads = zero_heads(DIM)
    torch.nn.init.normal_(heads["image"].weight)
    save_query_heads(heads, tmp_path, "a1b2")
    return heads, tmp_path


def test_heads_come_back_to_the_bit_and_frozen(kept):
    heads, folder = kept
    again = load_query_heads(folder, DIM, "a1b2")
    assert all(
        torch.equal(again[head].weight, heads[head].weight) and not again[head].weight.requires_grad
        for head in ("image", "text")
    )


def test_heads_of_another_retriever_are_refused(kept):
    with pytest.raises(ConfigError, match="those of retriever 'c3d4', found those of 'a1b2'"):
        load_query_heads(kept[1], DIM, "c3d4")


def test_heads_of_another_width_are_refused(kept):
    with pytest.raises(ConfigError, match="a matrix of 4 by 4 for each search"):
        load_query_heads(kept[1], 4, "a1b2")


def test_damaged_or_missing_heads_are_one_sentence(kept):
    folder = kept[1]
    (folder / HEADS_FILE).write_bytes(b"no safetensors")
    with pytest.raises(ConfigError, match="must be a whole safetensors file"):
        load_query_heads(folder, DIM, "a1b2")
    (folder / HEADS_FILE).unlink()
    with pytest.raises(ConfigError, match=r"retriever\.heads must be a folder that holds"):
        load_query_heads(folder, DIM, "a1b2")
