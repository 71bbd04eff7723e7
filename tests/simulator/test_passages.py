"""What passages may and must say."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.simulator.descriptors import KINDS, LABELS, VOCABULARY
from jomed_app.simulator.passages import write_passages

DESCRIPTORS = st.fixed_dictionaries(
    {name: st.sampled_from(values) for name, values in VOCABULARY.items()}
)
FUNCTION_WORDS = {"a", "an", "and", "with", "or", "the"}
FORBIDDEN = {*LABELS, *KINDS, "cancer", "cancerous"}


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


@given(descriptors=DESCRIPTORS | st.just({}), seed=st.integers(0, 50))
def test_passage_rules(descriptors: dict[str, str], seed: int) -> None:
    passage, extended = write_passages(np.random.default_rng(seed), descriptors)
    assert len(passage.split()) <= 25
    assert len(extended.split()) <= 2 * len(passage.split())
    assert len(passage) < len(extended) <= 2 * len(passage)
    assert not (_words(passage) | _words(extended)) & FORBIDDEN
    assert _words(passage) - FUNCTION_WORDS <= _words(extended)


@given(descriptors=DESCRIPTORS, seed=st.integers(0, 50))
def test_passage_names_every_finding(descriptors: dict[str, str], seed: int) -> None:
    for text in write_passages(np.random.default_rng(seed), descriptors):
        words = _words(text)
        for name in ("shape", "orientation", "margin", "echo"):
            assert descriptors[name] in words
        assert ("no" in words) == (
            descriptors["posterior"] == "none" or descriptors["calcifications"] == "absent"
        )
        if descriptors["posterior"] != "none":
            assert descriptors["posterior"] in words
        assert ("present" in words) == (descriptors["calcifications"] == "present")


@given(first=DESCRIPTORS, second=DESCRIPTORS, seed=st.integers(0, 50))
def test_different_findings_give_different_passages(
    first: dict[str, str], second: dict[str, str], seed: int
) -> None:
    one, other = (write_passages(np.random.default_rng(seed), found) for found in (first, second))
    assert (one == other) == (first == second)
