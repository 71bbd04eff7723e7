"""The header: what runs here, and what it is not."""

from __future__ import annotations

from dataclasses import replace

from jomed_app.ui.panels.top.header import Header
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeInfo, FakeTask
from tests.ui.hostile import assert_shown_as_text


def test_the_disclaimer_and_the_versions_are_on_the_page():
    html = render(Header("1.2.3", FakeInfo()))
    assert (
        "Research demo - not a medical device. Do not use for diagnosis. "
        "Do not upload patient-identifying images." in html
    )
    for version in ("1.2.3", "fake 1", "fake-index 1", "1,200"):
        assert version in html


def test_hostile_versions_are_shown_as_text():
    def header(words: str) -> Header:
        task = FakeTask(name=words)
        return Header(words, replace(FakeInfo(), task=task, bundle=words, index=words))

    assert_shown_as_text(header)


def test_images_that_leave_this_machine_are_warned_of():
    assert "leave this machine" not in render(Header("1", FakeInfo()))
    html = render(Header("1", replace(FakeInfo(), sent_to="gpu.example.org")))
    assert "Images leave this machine: each one is sent to gpu.example.org to be read." in html
    assert_shown_as_text(lambda words: Header("1", replace(FakeInfo(), sent_to=words)))
