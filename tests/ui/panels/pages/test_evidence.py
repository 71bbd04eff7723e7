"""Evidence: every figure of the page is one of the bundle's or of the kept reports'."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.calibration.reliability import ErrorRate
from jomed_app.ui.panels.pages.evidence import EvidencePage
from jomed_app.ui.panels.pages.failures import Failure, Failures
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeInfo, FakeTask
from tests.ui.fake_shelf import shipped_shelf
from tests.ui.hostile import assert_shown_as_text


@pytest.fixture(scope="module")
def page():
    return EvidencePage(shipped_shelf(FakeInfo()))


def test_the_bundle_s_own_figures_are_shown_with_cases_and_interval(page):
    html = render(page)
    calibration = page.shelf.profile.calibration
    assert page.measured_on in html
    for rate in calibration.error_rates.values():
        assert f'<td class="figure">{rate.num_cases}</td>' in html
        low, high = rate.interval
        assert f"{100 * low:.1f} to {100 * high:.1f} %" in html
    assert "counted its cases by the readings alone" in html
    assert sum(each.cases for each in page.bins) == sum(calibration.reliability.counts)
    assert all(each.low <= each.right / each.cases <= each.high for each in page.bins)
    assert {each.threshold for each in page.boxes} <= {
        each.threshold for each in calibration.boxes.operating_points
    }


def test_a_bundle_that_counts_by_standing_says_so_and_prints_no_rate_of_few(page):
    few = ErrorRate(num_cases=29, num_errors=9, rate=9 / 29, interval=(0.17, 0.49))
    many = ErrorRate(num_cases=156, num_errors=39, rate=0.25, interval=(0.19, 0.32))
    profile = page.shelf.profile
    calibration = profile.calibration.model_copy(
        update={"standing_errors": {"contradicted": many, "overruled": few}}
    )
    profiles = {"joint": profile.model_copy(update={"calibration": calibration})}
    html = render(EvidencePage(replace(page.shelf, profiles=profiles)))
    assert "The known diagnoses speak against the answer" in html
    assert "25.0 %" in html
    assert "fewer than 30 cases: no rate" in html
    assert "31.0 %" not in html
    assert "by the readings alone" not in html


def test_every_kept_line_is_there_with_its_command_the_unflattering_too(page):
    html = render(page)
    kept = page.kept
    assert kept is not None
    lines = [line for claim in kept.claims for line in claim.lines]
    assert html.count('<td class="says-') == len(lines)
    assert {"level", "ahead"} <= {line.says for line in lines}
    assert any(line.says.startswith("worse") for line in lines)
    for line in lines:
        assert line.command in html
    (reader,) = [
        each for each in kept.effects if each.system == "reader" and each.beside.startswith("real")
    ]
    assert reader.helped - reader.harmed < 10, "the reader is no better beside similar cases"
    assert f"{reader.helped}<br>" in html


def test_what_was_never_measured_has_no_tables(page):
    bare = replace(page.shelf, profiles={"joint": Profile()}, evidence=None)
    html = render(EvidencePage(bare))
    assert "never measured beside this kind of collection" in html
    assert "<table" not in html


def test_no_cases_are_drawn_for_another_task(page):
    other = replace(FakeInfo(), task=FakeTask(name="fundus", labels=("none", "mild")))
    html = render(EvidencePage(replace(page.shelf, info=other)))
    assert "evidence/failures" not in html
    assert "pictures of real ones are not shown" in html


def test_failures_are_told_with_interval_and_what_they_are():
    assert "Read 4 simulated cases now" in render(Failures(total=4))
    running = render(Failures(total=4, asked=True, read=1))
    assert "1 of 4 cases read" in running
    failure = Failure("data:image/png;base64,AA==", "malignant", "benign", 0.71, 930_001)
    over = Failures(4, asked=True, is_over=True, read=4, abstained=1, wrong=(failure,))
    html = render(over)
    assert "1 of 3 answers are wrong" in html
    assert "6 to 79 %" in html, "Wilson, 1 of 3"
    assert "1 of 4 cases got no answer" in html
    assert "says nothing of real ones" in html
    assert "seed 930001" in html
    assert_shown_as_text(lambda words: replace(over, stopped=words))
