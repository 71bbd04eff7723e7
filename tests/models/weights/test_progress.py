"""How far weights are loaded: told tensor by tensor, and the hook is put back."""

from __future__ import annotations

import pytest
from transformers.utils import logging as transformers_logging

from jomed_app.models.weights.progress import WEIGHTS, weights_progress


def test_the_share_of_tensors_stands_for_the_share_of_bytes():
    seen = []
    with weights_progress(lambda *moment: seen.append(moment), "reader", 800):
        taken = list(transformers_logging.tqdm({"a": 1, "b": 2, "c": 3, "d": 4}, desc=WEIGHTS))
    assert taken == ["a", "b", "c", "d"]
    assert [done for _, done, _ in seen] == [0, 0, 200, 400, 600, 800]
    assert {(step, total) for step, _, total in seen} == {("loading the reader", 800)}


def test_other_bars_are_left_alone_and_the_hook_goes():
    seen = []
    with weights_progress(lambda *moment: seen.append(moment), "reader", 8):
        assert list(transformers_logging.tqdm([1, 2], desc="other")) == [1, 2]
    assert list(transformers_logging.tqdm([1, 2], desc=WEIGHTS)) == [1, 2]
    assert seen == [("loading the reader", 0, 8)]


def test_what_the_listener_raises_ends_the_loading_and_the_hook_goes():
    def stop(step, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), weights_progress(stop, "reader", 8):
        list(transformers_logging.tqdm([1, 2], desc=WEIGHTS))
    assert transformers_logging.set_tqdm_hook(None) is None
