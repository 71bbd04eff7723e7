"""Help and harm: hand values, and what is refused."""

from __future__ import annotations

import pytest

from jomed_app.evaluation.metrics.effect import is_harmed, is_helped


def test_each_case_is_helped_harmed_or_neither():
    found, alone = [True, True, False, False], [True, False, True, False]
    assert is_helped(found, alone).tolist() == [False, True, False, False]
    assert is_harmed(found, alone).tolist() == [False, False, True, False]
    assert is_harmed(alone, found).tolist() == is_helped(found, alone).tolist()


@pytest.mark.parametrize(("found", "alone"), [([], []), ([True], [True, False])])
def test_only_the_same_cases_are_compared(found, alone):
    for measure in (is_helped, is_harmed):
        with pytest.raises(ValueError, match="the same cases with and without retrieval"):
            measure(found, alone)
