"""About: the bundle's own card and data, the running settings; nothing typed a second time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jomed_app import __version__
from jomed_app.config import AppConfig
from jomed_app.storage.bundle import bundle_fingerprint
from jomed_app.ui.panels.pages.about import AboutPage
from jomed_app.ui.panels.pages.shelf import read_card, read_notice
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeInfo, FakeTask
from tests.ui.fake_shelf import BUNDLE, shipped_shelf
from tests.ui.hostile import assert_shown_as_text


@pytest.fixture(scope="module")
def shelf():
    return shipped_shelf(FakeInfo())


def test_it_says_what_it_is_not_and_shows_the_bundle_s_own_card(shelf):
    html = render(AboutPage(shelf))
    assert "Research demo - not a medical device." in html
    assert "<h3>breast-embedded 5</h3>" in html, "the card's own heading"
    assert shelf.bundle is not None
    for each in shelf.bundle.training_data:
        assert each.name in html
        assert f"{each.cases:,}" in html
        assert each.sha256[:16] in html
    for version in (__version__, "fake 1", "1,200", "fake reader (0123abcd), weights in bf16"):
        assert version in html
    assert bundle_fingerprint(shelf.bundle) in html
    assert "PP-OCRv6" in html, "the notice"
    assert "Apache License, Version 2.0" in html
    assert 'rel="noreferrer noopener"' in html


def test_privacy_is_that_of_the_running_server(shelf):
    html = render(AboutPage(replace(shelf, settings=AppConfig(session_minutes=7, max_file_mb=3))))
    assert "7 minutes pass" in html
    assert "up to 3 MiB" in html
    assert "none: whoever reaches this address can use it" in html
    strict = replace(shelf, settings=AppConfig(metrics=True), has_login=True)
    html = render(AboutPage(replace(strict, info=replace(FakeInfo(), sent_to="gpu.example.org"))))
    assert "required" in html
    assert "on: how many cases" in html
    assert "each one is sent to gpu.example.org" in html


def test_models_without_a_bundle_have_no_card_and_the_page_says_so(shelf, tmp_path):
    bare = replace(shelf, bundle=None, card="", notice="", licence="")
    html = render(AboutPage(bare))
    assert "These models bring no card." in html
    assert "No bundle was learned for this" in html
    assert read_card(tmp_path / "models.toml") == (None, "")
    assert read_notice(tmp_path) == ("", "")
    manifest, card = read_card(BUNDLE)
    assert manifest is not None
    assert card == (BUNDLE / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_what_a_bundle_brings_is_shown_as_text(shelf):
    assert_shown_as_text(
        lambda words: AboutPage(
            replace(shelf, notice=words, info=replace(FakeInfo(), bundle=words))
        )
    )
    assert_shown_as_text(
        lambda words: AboutPage(replace(shelf, info=replace(FakeInfo(), task=FakeTask(name=words))))
    )
