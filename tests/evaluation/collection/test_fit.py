"""A profile fitted to a collection: refused where it is small, said on groups held out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError
from jomed_app.evaluation.collection import fit as module
from jomed_app.evaluation.collection.fit import (
    fit_collection,
    fit_others,
    profile_of,
    refuse_few,
)
from jomed_app.evaluation.collection.read import ReadCollection
from jomed_app.inference.calibration.profile import Profile, Settings, read_profile
from jomed_app.inference.calibration.reliability import expected_calibration_error
from jomed_app.inference.conclusion.conclude import conclude
from tests.evaluation.folds.drawn_readings import BOX, draw_readings
from tests.few_trials import few_trials

BREAST = load_task("breast")
PLAIN = Profile(settings=Settings(k_per_head=3, box_threshold=0.25, domain_probability=0.4))


def drawn(count, *, groups=None, original=True, joint=False):
    cases, labels = draw_readings(count)
    names = groups or [f"g{place}" for place in range(count)]
    records = [
        CaseRecord(case_id=f"c{place:03d}", image="a.png", passage="x", rows=40, columns=40,
                   label=BREAST.labels[label], boxes=(BOX.as_tuple(),) if label else ())
        for place, label in enumerate(labels)
    ]  # fmt: skip
    trained = draw_readings(count, seed=1)[0] if joint else ()
    return ReadCollection(
        tuple(records), tuple(names), labels, tuple(cases), tuple(trained), {}, original
    )


@pytest.mark.parametrize(
    ("count", "groups", "what"),
    [
        (99, None, "mine has 99 cases of 99 groups"),
        (150, [f"g{place % 40}" for place in range(150)], "150 cases of 40 groups"),
    ],
)
def test_a_small_collection_is_refused_with_what_it_lacks(count, groups, what):
    with pytest.raises(ConfigError, match=f"at least 100 cases of 50 patients .*{what}"):
        refuse_few(drawn(count, groups=groups), BREAST.labels, "mine")


def test_a_rare_label_and_a_single_one_are_refused():
    read = drawn(120)
    rare = np.where(np.arange(120) < 5, 1, 0).astype(np.intp)
    for labels, words in ((rare, "115 normal, 5 benign|5 benign, 115 normal"), (rare * 0, "120 n")):
        with pytest.raises(ConfigError, match=words):
            refuse_few(
                ReadCollection(read.records, read.groups, labels, read.standard, (), {}, True),
                BREAST.labels, "mine",
            )  # fmt: skip
    refuse_few(drawn(120), BREAST.labels, "mine")


def test_what_is_not_fitted_stays_and_boxes_come_with_files_only():
    with few_trials():
        by_files = fit_collection(drawn(120), PLAIN, BREAST, joint=False).profile
        by_thumbs = fit_collection(drawn(120, original=False), PLAIN, BREAST, joint=False).profile
    for fitted in (by_files, by_thumbs):
        assert fitted.settings.k_per_head == 3
        assert fitted.settings.domain_probability == 0.4
        assert fitted.calibration.reliability is not None
    assert by_thumbs.settings.box_threshold == 0.25
    assert by_thumbs.calibration.boxes == PLAIN.calibration.boxes
    assert by_files.calibration.boxes.operating_points


def test_no_case_is_concluded_with_a_profile_that_saw_its_group(monkeypatch):
    groups = [f"g{place // 2}" for place in range(120)]
    seen = []

    def remember(read, base, task, places, *, joint):
        seen.append(frozenset(groups[place] for place in places))
        return SimpleNamespace(saw=seen[-1])

    monkeypatch.setattr(module, "_fit", remember)
    steps = []
    fitted = fit_others(drawn(120, groups=groups), PLAIN, BREAST, joint=False,
                        on_progress=lambda *step: steps.append(step))  # fmt: skip
    assert len(fitted) == 120
    assert all(group not in each.saw for group, each in zip(groups, fitted, strict=True))
    assert steps == [(place, 5) for place in range(1, 6)]


def test_held_out_probabilities_are_nearer_to_what_happens():
    read = drawn(300)
    sure = PLAIN.with_settings(guidance=3.0, weight_temperature=0.05)
    with few_trials():
        fitted = fit_others(read, sure, BREAST, joint=False)

    def error(profiles):
        rows = [conclude(case.evidence, each).probabilities
                for case, each in zip(read.standard, profiles, strict=True)]  # fmt: skip
        return expected_calibration_error(np.stack(rows), read.labels)

    assert error([each.profile for each in fitted]) < error([sure] * 300) - 0.05


def test_both_searches_make_one_profile_that_comes_back():
    with few_trials():
        read = drawn(120, joint=True)
        standard = fit_collection(read, PLAIN, BREAST, joint=False)
        joint = fit_collection(read, PLAIN, BREAST, joint=True)
    both = profile_of(standard, joint, "your 120 cases")
    assert read_profile(both.to_dict()) == both
    assert both.settings == joint.profile.settings
    assert both.standard is not None
    assert both.standard.settings == standard.profile.settings
    assert both.measured_on == both.standard.measured_on == "your 120 cases"
    assert profile_of(standard, None, "x").standard is None
