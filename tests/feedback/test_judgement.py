"""What a judgement means: followed or not, harm or help, and a hash that nobody else can match."""

from __future__ import annotations

import pytest

from jomed_app.feedback.judgement import keyed
from tests.feedback.made import judgement, own


@pytest.mark.parametrize(
    ("before", "after", "truth", "effect"),
    [
        (True, False, "malignant", "harm"),
        (False, True, "malignant", "help"),
        (False, True, "benign", "harm"),
        (True, False, "normal", "help"),
        (True, True, "benign", "none"),
        (True, False, "", None),
    ],
)
def test_harm_is_a_right_read_made_wrong(before, after, truth, effect):
    assert judgement(own=own(before, after), truth=truth).effect == effect


def test_without_an_own_read_there_is_no_effect():
    assert judgement(truth="benign").effect is None
    assert judgement(own=own(True, False), truth="benign", positive="").effect is None
    assert [judgement(verdict=each).is_override for each in ("agree", "disagree", "unsure")] == [
        False, True, False,
    ]  # fmt: skip


def test_without_the_key_a_hash_matches_nothing():
    assert keyed(b"a" * 32, "case 1") == keyed(b"a" * 32, "case 1")
    assert keyed(b"a" * 32, "case 1") != keyed(b"b" * 32, "case 1")
    assert keyed(b"a" * 32, "case 1") != keyed(b"a" * 32, "reading 1")
