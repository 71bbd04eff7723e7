"""The header: what runs here, and what it is not; at its side the ways to the other pages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from jomed_app.ui import text
from jomed_app.ui.panels.top.header import Header
from jomed_app.ui.panels.top.side import Side
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeInfo, FakeTask
from tests.ui.hostile import assert_shown_as_text


def test_the_disclaimer_is_on_the_page():
    html = render(Header(FakeInfo()))
    assert "Research demo - not a medical device." in html
    assert "Do not use for diagnosis. Do not upload patient-identifying images." in html


def test_hostile_names_are_shown_as_text():
    assert_shown_as_text(lambda words: Header(replace(FakeInfo(), task=FakeTask(name=words))))


def test_images_that_leave_this_machine_are_warned_of():
    assert "leave this machine" not in render(Header(FakeInfo()))
    html = render(Header(replace(FakeInfo(), sent_to="gpu.example.org")))
    assert "Images leave this machine: each one is sent to gpu.example.org to be read." in html
    assert_shown_as_text(lambda words: Header(replace(FakeInfo(), sent_to=words)))


@pytest.mark.parametrize("here", text.PAGES)
def test_every_other_page_is_one_link_away_and_the_present_one_is_marked(here):
    html = render(Side(here))
    assert re.findall('href="([^"]+)"', html) == [each for each in text.PAGES if each != here]
    assert f'aria-current="page">{text.PAGES[here]}<' in html
    opens_a_tab = 'target="_blank"' in html
    assert opens_a_tab == (here == "./"), "an open case ends with its tab"
