"""Fits and bootstraps of a tiny run, kept short: few settings to choose from, few resamples.

Every setting is tried in `evaluation/fit/test_settings.py`; what a thousand resamples are worth is
no question of a dozen cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jomed_app.evaluation.fit import settings
from jomed_app.evaluation.report.build import build_report

RESAMPLES = 20
FEW = {
    "WEIGHT_TEMPERATURES": (0.1, 1.0),
    "TEXT_OFFSETS": (0.0, -2.0),
    "GUIDANCE": (0.0, 1.0),
    "NEIGHBORS": (16,),
    "VOTE_TEMPERATURES": (0.1,),
    "SHARES": (0.0, 0.35, 0.65),
}


@contextmanager
def few_trials() -> Iterator[None]:
    """Shorten what is fitted and reported meanwhile; a report says how often it resampled."""
    with pytest.MonkeyPatch.context() as patch:
        for name, values in FEW.items():
            patch.setattr(settings, name, values)
        assert "num_resamples" in build_report.__kwdefaults__
        patch.setitem(build_report.__kwdefaults__, "num_resamples", RESAMPLES)
        yield
