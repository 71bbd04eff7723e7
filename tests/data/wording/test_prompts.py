"""Prompt texts."""

from __future__ import annotations

from jomed_app.data.wording.prompts import (
    IMAGE_SLOT,
    NO_REFERENCE,
    candidate_text,
    location_token,
    location_tokens,
    query_text,
)


def test_a_query_shows_one_image_and_ends_its_line():
    assert query_text("Why?") == "Query: <image> Why?\n"


def test_a_candidate_shows_one_image_its_label_and_its_passage():
    assert candidate_text("benign", "A cyst.") == "Reference: <image> benign. A cyst."
    assert candidate_text("benign", "") == "Reference: <image> benign."


def test_no_reference_shows_no_image():
    assert IMAGE_SLOT not in NO_REFERENCE


def test_location_tokens_are_distinct_and_in_order():
    names = location_tokens(120)
    assert names[0] == "<loc_00>"
    assert names[100] == location_token(100) == "<loc_100>"
    assert len(set(names)) == 120
