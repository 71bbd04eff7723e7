"""A picture that is asked about: go on anyway, or read it inverted; both by the session's case."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.imaging import read_image
from jomed_app.ui import text
from jomed_app.ui.handlers.api import diagnose
from jomed_app.ui.handlers.case import choose_frame, go_on, open_case, read_inverted, run_case
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeEngine, inverted_png_bytes, png_bytes


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def asked(engine, store):
    open_case(engine, store, "a", inverted_png_bytes())
    return list(run_case(engine, store, "a"))[-1]


def test_a_question_shows_both_ways_and_no_answer(asked):
    agreement = asked.diagnosis.agreement
    assert (agreement.asks, agreement.asks_inverted) == (True, True)
    html = render(asked.diagnosis)
    assert 'data-action="read-inverted"' in html
    assert 'data-action="go-on"' in html
    assert "none given" in html
    assert asked.diagnosis.overruled == ()


def test_an_answer_shows_no_ways(engine, store):
    open_case(engine, store, "a", png_bytes())
    html = render(list(run_case(engine, store, "a"))[-1].diagnosis)
    assert 'data-action="go-on"' not in html
    assert text.OVERRULED not in html


def test_going_on_gives_an_answer_that_says_so_from_the_first_screen(engine, store, asked):
    screen = go_on(engine, store, "a")
    assert screen.is_busy
    screens = list(run_case(engine, store, "a"))
    assert all(each.diagnosis.overruled == ("The image looks inverted.",) for each in screens)
    assert screens[-1].diagnosis.final.prediction == "malignant"
    shown = screens[-1].diagnosis
    assert text.OVERRULED in render(shown)
    assert (shown.agreement.error_rate, shown.final.calibrated) == (None, "")
    assert shown.final.measured == text.GO_ON_ADVICE
    result = store.get("a").result
    assert result.input.overruled == ("inversion",)
    assert [check.passed for check in result.input.checks if check.name == "inversion"] == [False]


def test_reading_inverted_reads_the_upright_picture(engine, store, asked):
    assert read_inverted(engine, store, "a").is_busy
    last = list(run_case(engine, store, "a"))[-1]
    assert last.diagnosis.final.prediction == "malignant"
    assert last.diagnosis.overruled == ()
    case = store.get("a")
    assert case.result.input.inverted_as_asked
    assert np.array_equal(case.image.model_input, read_image(png_bytes()).model_input)


@pytest.mark.parametrize("way", [go_on, read_inverted])
def test_without_a_case_nothing_goes_on(engine, store, way):
    screen = way(engine, store, "a")
    assert screen.banner.sentence == text.NO_CASE
    assert not screen.has_case


def test_a_wish_to_go_on_does_not_outlive_its_case(engine, store, asked):
    go_on(engine, store, "a")
    open_case(engine, store, "a", inverted_png_bytes(1))
    assert list(run_case(engine, store, "a"))[-1].diagnosis.final.prediction is None


def test_another_frame_of_an_inverted_file_is_read_inverted(engine, store):
    from tests.ui.handlers.test_case import two_page_tiff

    open_case(engine, store, "a", two_page_tiff())
    read_inverted(engine, store, "a")
    choose_frame(engine, store, "a", 1)
    image = store.get("a").image
    assert image.info.inverted_as_asked
    assert int(image.model_input[0, 0, 0]) == 255 - 200


def test_the_endpoint_takes_both_wishes(engine):
    data = read_image(inverted_png_bytes())
    assert diagnose(engine, data)["final"]["asks"] == ["inversion"]
    assert diagnose(engine, data, anyway=True)["input"]["overruled"] == ["inversion"]
    turned = diagnose(engine, data, invert=True)
    assert turned["input"]["inverted_as_asked"]
    assert turned["final"]["prediction"] == "malignant"
