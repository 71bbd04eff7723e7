from __future__ import annotations

import pytest
import torch

from benchmarks.threads import threads_set


def test_a_count_of_threads_does_not_outlive_its_block():
    before = torch.get_num_threads()
    with threads_set(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(KeyboardInterrupt), threads_set(before + 2):
        raise KeyboardInterrupt
    assert torch.get_num_threads() == before
