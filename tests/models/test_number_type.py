"""The number type of matrix products follows a rule, and can be set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from jomed_app.errors import ConfigError
from jomed_app.models import number_type
from jomed_app.models.number_type import (
    VARIABLE,
    autocast,
    chosen_dtype,
    compute_dtype,
    dtype_name,
    multiplies_bf16,
)

X86 = {"architecture": "x86_64", "avx2": True, "avx512_f": True}
ARM = {"architecture": "aarch64", "neon": True, "bf16": False, "sve": True}


@pytest.fixture
def processor(monkeypatch):
    """A machine without a GPU and without a choice, whose processor says what is given."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)

    def says(capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)

    return says


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (X86, torch.float32),  # AVX-512 alone emulates bf16
        (X86 | {"avx512_bf16": True}, torch.bfloat16),
        (X86 | {"amx_bf16": True}, torch.bfloat16),
        (X86 | {"avx512_fp16": True}, torch.float32),
        (ARM, torch.float32),
        (ARM | {"bf16": True}, torch.bfloat16),
        (ARM | {"sve_bf16": True}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_the_processor_says_what_it_multiplies(processor, capabilities, expected):
    processor(capabilities)
    assert compute_dtype() is expected
    layer, inputs = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with autocast():
        assert layer(inputs).dtype is expected
    assert layer(inputs).dtype is torch.float32


def test_instructions_that_no_library_uses_do_not_count(processor, monkeypatch):
    processor(X86 | {"amx_bf16": True})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert compute_dtype() is torch.float32


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "fp32")])
def test_an_older_pytorch_is_asked_in_its_own_way(processor, monkeypatch, has_bf16, expected):
    processor({})
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    assert dtype_name(compute_dtype()) == expected


def test_a_gpu_takes_bf16(processor, monkeypatch):
    processor(X86)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert compute_dtype() is torch.bfloat16


@pytest.mark.parametrize("name", ["bf16", "fp32"])
@pytest.mark.parametrize("capabilities", [X86, X86 | {"amx_bf16": True}])
def test_what_is_set_is_obeyed(processor, monkeypatch, name, capabilities):
    processor(capabilities)
    monkeypatch.setenv(VARIABLE, name)
    assert dtype_name(compute_dtype()) == name


def test_an_empty_variable_sets_nothing(processor, monkeypatch):
    processor(X86)
    monkeypatch.setenv(VARIABLE, "")
    assert chosen_dtype() is None
    assert compute_dtype() is torch.float32


@pytest.mark.parametrize("name", ["fp8", "BF16", "nf4"])
def test_an_unknown_number_type_is_refused_in_one_sentence(monkeypatch, name):
    monkeypatch.setenv(VARIABLE, name)
    sentence = rf"^JOMED_NUMBER_TYPE must be bf16 or fp32, found '{name}'; mend or unset it$"
    with pytest.raises(ConfigError, match=sentence):
        compute_dtype()


def test_a_number_type_has_a_short_name():
    assert dtype_name(torch.bfloat16) == "bf16"
    with pytest.raises(ValueError, match=r"among \['bf16', 'fp32'\], found torch.float16"):
        dtype_name(torch.float16)


def test_every_process_of_this_machine_answers_alike():
    """Busy or not: two at once, beside this one."""
    code = "from jomed_app.models.number_type import *; print(multiplies_bf16(), rule_dtype())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, text=True
        )
        for _ in range(2)
    ]
    said = {process.communicate(timeout=120)[0].strip() for process in started}
    assert said == {f"{multiplies_bf16()} {number_type.rule_dtype()}"}
