"""Faults of a model's files as sentences; how weights are held that were stored quantized."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jomed_app.errors import ConfigError, MemoryShortError
from jomed_app.models.foreign.faults import (
    LONGEST_REASON,
    files_of,
    held_precision,
    require_whole,
    stored_precision,
)
from jomed_app.models.loading import Precision
from jomed_app.models.source import ModelSource


@pytest.fixture
def source(tmp_path):
    return ModelSource(str(tmp_path / "mine"), None, tmp_path / "mine")


def test_a_library_s_words_become_one_short_line_without_the_path(source):
    said = f"cannot read\n  {source.folder}/x.\n\nAdvice of many lines"
    with (
        pytest.raises(
            ConfigError,
            match=r"reader\.model must be a reader, the tokenizer of 'mine' cannot be read "
            r"\(OSError: cannot read mine/x\); fetch",
        ),
        files_of(source, "reader", "a reader", "tokenizer"),
    ):
        raise OSError(said)


def test_a_long_reason_is_cut(source):
    with (
        pytest.raises(ConfigError, match=rf"KeyError: .x{{{LONGEST_REASON - 1}}} \.\.\."),
        files_of(source, "reader", "a reader", "weights"),
    ):
        raise KeyError("x" * 1000)


def test_a_sentence_of_ours_stays_as_it_is(source):
    with (
        pytest.raises(MemoryShortError, match=r"^lower reader\.rows_at_once$"),
        files_of(source, "reader", "a reader", "weights"),
    ):
        raise MemoryShortError("lower reader.rows_at_once")


def test_missing_and_misshapen_weights_are_counted_together(source):
    info = {"missing_keys": {"b", "a"}, "mismatched_keys": {("c", (1,), (2,))}}
    with pytest.raises(ConfigError, match=r"'mine' lacks 3 or holds .* the first is 'a'; fetch"):
        require_whole(info, source, "reader")
    require_whole({"missing_keys": set(), "mismatched_keys": set()}, source, "reader")


def config(**values):
    return SimpleNamespace(quantization_config=values or None)


def test_what_bitsandbytes_stored_is_known():
    assert stored_precision(config()) is None
    assert stored_precision(SimpleNamespace()) is None
    assert stored_precision(config(load_in_4bit=True, load_in_8bit=False)) is Precision.NF4
    assert stored_precision(config(load_in_8bit=True)) is Precision.INT8
    with pytest.raises(ConfigError, match="found 'awq'; take the plain checkpoint"):
        stored_precision(config(quant_method="awq"))


@pytest.mark.parametrize(
    ("stored", "wanted", "held"),
    [
        (None, "bf16", "bf16"),
        ("nf4", "auto", "nf4"),
        ("nf4", "bf16", "bf16"),
        ("int8", "auto", "int8"),
        ("int8", "fp32", "fp32"),
    ],
)
def test_stored_weights_stay_so_unless_whole_ones_are_asked_for(stored, wanted, held):
    known = None if stored is None else Precision(stored)
    assert held_precision(known, Precision(wanted)) is Precision(held)


def test_one_quantization_does_not_become_another():
    with pytest.raises(ConfigError, match=r"stored in int8, found 'nf4'"):
        held_precision(Precision.INT8, Precision.NF4)
