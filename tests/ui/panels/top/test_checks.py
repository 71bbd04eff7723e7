"""Input checks: the failed ones spelled out, the rest in the passport, in words of clinicians."""

from __future__ import annotations

import pytest

from jomed_app.imaging.content.text import text_check
from jomed_app.types import Check, InputInfo
from jomed_app.ui.panels.top.checks import Checks, ShownCheck
from jomed_app.ui.templates import render
from tests.ui.hostile import assert_shown_as_text


def info(*checks: Check, words: str = "png", modality: str | None = None) -> InputInfo:
    return InputInfo(
        format=words, modality=modality, rows=5, columns=6, photometric=words,
        checks=checks,
    )  # fmt: skip


SIZE = Check(name="bit_depth", passed=True, value=8.0, message="enough")
DOMAIN = Check(name="domain", passed=False, value=0.1, message="unlike the corpus")


def test_failed_checks_are_spelled_out():
    html = render(Checks(info(SIZE, DOMAIN)))
    assert html.count('class="check-note"') == html.count("is-bad") == 1
    assert '<span class="check-note">: unlike the corpus</span>' in html
    assert "1 of 2 checks passed" in html
    assert "is-ok" not in html, "what passed stands in the passport alone"


def test_where_all_passed_there_is_the_passport_alone():
    html = render(Checks(info(SIZE)))
    assert Checks(info(SIZE)).is_fine
    assert "is-fine" in html
    assert "<li" not in html
    assert "Input passport: 1 of 1 checks passed" in html
    assert not Checks(info(SIZE, DOMAIN)).is_fine


def test_how_far_from_the_bundle_s_images_is_said_in_words_alone():
    html = render(Checks(info(DOMAIN)))
    assert "kind of image" in html
    assert "domain" not in html
    assert "0.1" not in html


def test_what_the_reader_asked_for_stands_in_the_strip():
    inverted = Check(name="inversion", passed=True, value="inverted as asked", message="so")
    known = info(SIZE, inverted)
    assert "is-asked" not in render(Checks(known))
    html = render(Checks(known.model_copy(update={"inverted_as_asked": True})))
    assert html.count("is-asked") == 1


def test_without_a_case_there_is_nothing():
    assert render(Checks(None)) == ""


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), (0.123456, "0.123"), (12345.6, "1.23e+04"), ("as it is",) * 2]
)
def test_a_figure_is_short(value, shown):
    check = ShownCheck.of(SIZE.model_copy(update={"value": value}))
    assert (check.name, check.value) == ("bit depth", shown)


def test_the_passport_holds_metadata():
    html = render(Checks(info(modality="US"), {"Manufacturer": "nobody"}))
    assert "PNG 6 x 5 png US" in html
    assert '<th scope="row">Manufacturer</th><td colspan="3">nobody</td>' in html


def test_hostile_checks_and_metadata_are_shown_as_text():
    def checks(words: str) -> Checks:
        bad = Check(name=words, passed=False, value=words, message=words)
        good = bad.model_copy(update={"passed": True})
        return Checks(info(bad, good, words=words, modality=words), {words: words})

    assert_shown_as_text(checks)


def test_one_line_of_text_is_warned_of_by_its_place_and_said_not_to_be_masked():
    line = text_check([(4, 4, 120, 20)], rows=480, columns=640)
    html = render(Checks(info(line)))
    assert (
        '<span class="check-note">: Text is burned into the picture (upper left '
        "corner); a single line is not painted over, the model reads the picture with it."
    ) in html
    assert "it was painted over" not in html
