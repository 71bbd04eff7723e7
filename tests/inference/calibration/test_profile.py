"""Profiles: stored and read again, one for each search, refused when of another version."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from jomed_app.errors import BundleError
from jomed_app.inference.calibration.probabilities import Calibration, Scaling
from jomed_app.inference.calibration.profile import (
    CorpusProfile,
    Profile,
    Settings,
    read_profile,
)

SOFT = Calibration(scaling=Scaling(temperature=1.5))


def test_a_profile_is_stored_under_its_old_names_and_read_again():
    profile = CorpusProfile(
        settings=Settings(k_per_head=3, vote_share=0.25),
        calibration=SOFT,
        measured_on="40 images",
        standard=Profile(settings=Settings(vote_share=0.5)),
    )
    stored = json.loads(json.dumps(profile.to_dict()))
    assert set(stored) == {"thresholds", "calibration", "measured_on", "standard"}
    assert stored["thresholds"]["k_per_head"] == 3
    assert read_profile(stored) == profile


def test_without_another_search_nothing_of_it_is_written():
    """A bundle from before it still matches its seal."""
    assert "standard" not in CorpusProfile().to_dict()


def test_what_is_left_out_keeps_its_default():
    found = read_profile({"thresholds": {"k_per_head": 4.0}})
    assert found.settings == Settings(k_per_head=4)
    assert type(found.settings.k_per_head) is int


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ({"thresholds": {"beam_width": 3}}, r"thresholds.beam_width: Extra inputs"),
        ({"thresholds": {"vote_share": 1.5}}, r"vote_share: Input should be less than or equal"),
        ({"calibration": {"conformal": {"alpha": 0.1, "num_cases": 3}}}, "conformal.threshold"),
        ({"calibration": {"scaling": {"temperature": "warm"}}}, "scaling.temperature"),
    ],
)
def test_a_profile_of_another_version_is_refused(stored, text):
    with pytest.raises(BundleError, match=rf"must follow its schema: .*{text}.*export the bundle"):
        read_profile(stored)


def test_settings_are_checked_at_birth():
    with pytest.raises(ValidationError, match="weight_temperature"):
        Settings(weight_temperature=0.0)


def test_other_settings_leave_the_rest():
    profile = Profile(calibration=SOFT, measured_on="x")
    changed = profile.with_settings(guidance=1.0)
    assert changed.settings == Settings(guidance=1.0)
    assert (changed.calibration, changed.measured_on) == (SOFT, "x")
