"""What is asked about: drawn pictures are, and the kept report holds the floors."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reliability.drawn import photographs
from benchmarks.reliability.drawn import test_patterns as drawn_patterns
from benchmarks.reliability.kinds import VARIANTS, errors, fit
from benchmarks.reliability.records import load
from jomed_app.data.tasks import load_task
from jomed_app.imaging.content.kind import LEAST_LEVELS, MOST_COLORED, MOST_SMOOTH
from jomed_app.imaging.content.look import look
from jomed_app.simulator import simulate_case

NO_SCAN = (
    "colour bars of pydicom",
    "test patterns, drawn",
    "photographs, drawn",
    "photographs, retinamnist28",
    "photographs, kvasir_seg",
    "photographs, ham10000",
    "other scans, medpix2",
    "other scans, slake",
    "other scans, vqa_rad",
    "BUSI, inverted",
    "simulated, inverted",
)


@pytest.fixture(scope="module")
def report():
    return load()["kinds"]


@pytest.fixture(scope="module")
def scans():
    return [simulate_case(seed, size_px=240).image for seed in range(7_000, 7_012)]


def test_nearly_all_drawn_patterns_have_no_grain_or_few_levels():
    told = []
    for pixels in drawn_patterns():
        rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
        content = look(rgb, is_gray=pixels.ndim == 2)
        told.append(content.num_levels < LEAST_LEVELS or content.smooth_share > MOST_SMOOTH)
    assert len(told) - sum(told) <= 3, "narrow waves bend as grain does; the domain check asks"


def test_drawn_photographs_are_colored():
    for pixels in photographs(10, 3):
        assert look(pixels, is_gray=False).colored_share > MOST_COLORED


def test_a_fit_on_simulated_scans_weighs_the_two_facts_alike(scans):
    weights = fit(scans)
    assert 0.4 < weights["grain_growth"] / weights["fall_with_depth"] < 2.5


def test_errors_are_counted_on_both_sides(scans):
    right = errors(scans)
    assert (right["images"], right["false_alarms"], right["inverted_missed"]) == (12, 0, 0)
    wrong = errors(255 - gray for gray in scans)
    assert (wrong["false_alarms"], wrong["inverted_missed"]) == (12, 12)
    assert errors([scans[0][:20]])["too_small"] == 1


def test_variants_change_no_size_but_where_they_say_so(scans):
    gray = scans[0]
    changed = {name for name, change in VARIANTS.items() if change(gray).shape != gray.shape}
    assert changed == {"a third of the size", "middle half", "on a white page"}


@pytest.mark.parametrize("name", NO_SCAN)
def test_none_was_answered_without_a_question(report, name):
    counts = report["sets"][name]
    assert counts["asked"] >= 18
    assert counts["answered"] == 0


def test_upright_ultrasound_is_hardly_ever_asked_about_for_its_content(report):
    for name in ("BUSI, upright", "simulated, upright", "shipped examples"):
        counts = report["sets"][name]
        total = counts["answered"] + counts["asked"]
        assert counts["asked_by_content"] <= 0.01 * total
    polarity = report["polarity"]["variants"]["as it is"]
    assert polarity["images"] >= 200
    assert polarity["false_alarms"] <= 0.01 * polarity["images"]
    assert polarity["inverted_missed"] <= 0.02 * polarity["images"]


def test_the_report_is_of_the_task_that_ships(report):
    assert report["kind"] == "kinds"
    assert load_task("breast").modalities == ("US",)
