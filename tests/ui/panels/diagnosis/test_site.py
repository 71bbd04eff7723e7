"""The operating point of a site, beside the answer."""

from __future__ import annotations

import dataclasses

import pytest

from jomed_app.errors import ConfigError
from jomed_app.inference.calibration.cutoffs import Cutoff
from jomed_app.inference.info import EngineInfo
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.diagnosis.site import NOT_MEASURED
from jomed_app.ui.reading import reading_of
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine, FakeInfo
from tests.ui.hostile import assert_shown_as_text

POINT = Cutoff(target=95, threshold=0.7, found=38, positives=40, cleared=22, negatives=50)


def info(**values) -> FakeInfo:
    return FakeInfo(**{"cutoffs": (POINT,), "site_point": 95} | values)


def test_below_the_point_its_miss_rate_is_said(result):
    """The fake answer has p(malignant) 0.58, below 0.7."""
    html = " ".join(render(Diagnosis.of(reading_of(result), info())).split())
    assert "Operating point of this site: finds 95 of 100 malignant" in html
    assert "<b>below</b> the threshold 0.70. Of the cases below it, 2 of 24 (2 to 26 %)" in html
    assert "it found 38 of 40 (83 to 99 %); of the others 22 of 50 (31 to 58 %) were below" in html


def test_above_it_no_miss_rate_is_said(result):
    low = POINT.model_copy(update={"threshold": 0.2})
    html = render(Diagnosis.of(reading_of(result), info(cutoffs=(low,))))
    assert "at or above" in html
    assert "all the same" not in html


@pytest.mark.parametrize(("values", "said"), [
    ({"cutoffs": ()}, NOT_MEASURED),
    ({"site_point": 90}, NOT_MEASURED),
])  # fmt: skip
def test_what_was_not_measured_is_said_to_be_so(result, values, said):
    html = render(Diagnosis.of(reading_of(result), info(**values)))
    assert f"Not shown: {said}." in html
    assert "threshold" not in html.split("</h2>")[1].split("</div>")[0]


def test_a_moved_answer_has_no_point_and_a_site_that_chose_none_says_nothing(result):
    moved = reading_of(FakeEngine().recompute(result, {"case-1"}))
    assert "you moved weights" in render(Diagnosis.of(moved, info()))
    assert Diagnosis.of(reading_of(result), info(site_point=0)).site is None


def test_the_point_is_that_of_the_search_on_the_page(result):
    other = POINT.model_copy(update={"threshold": 0.1})
    both = dataclasses.replace(info(), standard=info(cutoffs=(other,)))
    standard = result.model_copy(update={"retrieval": "standard"})
    assert Diagnosis.of(reading_of(standard), both).site.point == other
    assert Diagnosis.of(reading_of(result), both).site.point == POINT


def test_a_point_that_is_never_measured_is_refused():
    said = EngineInfo(bundle="b", index="i", index_size=1, task=None, box_threshold=0.5)
    assert said.at_site(95).site_point == 95
    with pytest.raises(ConfigError, match="must be one of 80, 85, 90, 95, 98, or 0"):
        said.at_site(93)


def test_hostile_words_are_shown_as_text(result):
    def hostile(words: str) -> Diagnosis:
        task = dataclasses.replace(FakeInfo().task, positive_label=words)
        return Diagnosis.of(
            dataclasses.replace(reading_of(result), result=None), info(task=task, cutoffs=())
        )

    assert_shown_as_text(hostile)
