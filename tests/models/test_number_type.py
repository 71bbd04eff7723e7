"""The number type of matrix products is measured, once a process."""

import pytest
import torch

from jomed_app.models import number_type as compute
from jomed_app.models.number_type import autocast, compute_dtype, matmul_seconds


@pytest.fixture
def timed(monkeypatch):
    """Sets what bf16 takes where fp32 takes a second, on a machine without a GPU."""

    def set_seconds(bf16: float) -> None:
        seconds = {torch.bfloat16: bf16, torch.float32: 1.0}
        monkeypatch.setattr(compute, "matmul_seconds", seconds.__getitem__)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return set_seconds


@pytest.mark.parametrize(("seconds", "expected"), [(0.3, torch.bfloat16), (50.0, torch.float32)])
def test_the_faster_type_is_taken(timed, seconds, expected):
    timed(seconds)
    assert compute_dtype() is expected
    layer, inputs = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with autocast():
        assert layer(inputs).dtype is expected
    assert layer(inputs).dtype is torch.float32


def test_a_gpu_takes_bf16(timed, monkeypatch):
    timed(50.0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert compute_dtype() is torch.bfloat16


def test_the_measurement_measures():
    assert 0 < matmul_seconds(torch.float32) < 10
