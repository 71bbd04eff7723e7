"""The header: what runs here, and what it is not; and on request, in which version."""

from __future__ import annotations

from dataclasses import replace

from jomed_app.ui.panels.top.about import About
from jomed_app.ui.panels.top.header import Header
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeInfo, FakeTask
from tests.ui.hostile import assert_shown_as_text


def test_the_disclaimer_and_the_versions_are_on_the_page():
    for html in (render(Header(FakeInfo())), render(About("1.2.3", FakeInfo()))):
        assert "Research demo - not a medical device." in html
        assert "Do not use for diagnosis. Do not upload patient-identifying images." in html
    for version in ("1.2.3", "fake 1", "fake-index 1", "1,200", "fake reader (0123abcd), bf16"):
        assert version in html


def test_hostile_versions_are_shown_as_text():
    def about(words: str) -> About:
        return About(words, replace(FakeInfo(), bundle=words, index=words, reader=words))

    assert_shown_as_text(about)
    assert_shown_as_text(lambda words: Header(replace(FakeInfo(), task=FakeTask(name=words))))


def test_images_that_leave_this_machine_are_warned_of():
    assert "leave this machine" not in render(Header(FakeInfo()))
    html = render(Header(replace(FakeInfo(), sent_to="gpu.example.org")))
    assert "Images leave this machine: each one is sent to gpu.example.org to be read." in html
    assert_shown_as_text(lambda words: Header(replace(FakeInfo(), sent_to=words)))
