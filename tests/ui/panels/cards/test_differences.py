"""A known case beside the patient's image, descriptor by descriptor."""

from __future__ import annotations

from jomed_app.ui.panels.cards.differences import Differences
from jomed_app.ui.templates import render
from tests.ui.fake_values import FINDINGS
from tests.ui.hostile import assert_shown_as_text


def test_what_differs_is_named_with_both_values():
    panel = Differences.of({"shape": "oval", "margin": "spiculated", "size": "9 mm"}, FINDINGS)
    assert [(each.descriptor, each.differs) for each in panel.compared] == [
        ("shape", True),
        ("margin", False),
    ]
    html = render(panel)
    assert "Differs from your image in</span> shape</p>" in html
    assert "<td><b>oval</b></td><td><b>irregular</b></td>" in html
    assert "<td>spiculated</td><td>spiculated</td>" in html


def test_where_all_is_alike_that_is_said():
    html = render(Differences.of({"shape": "irregular", "echo": "hypoechoic"}, FINDINGS))
    assert "Like your image in</span> shape, echo</p>" in html


def test_what_cannot_be_compared_is_not_shown():
    assert Differences.of({}, FINDINGS) is None
    assert Differences.of({"shape": "oval"}, None) is None
    assert Differences.of({"shape": ""}, {"shape": {"oval": 1.0}}) is None
    assert Differences.of({"shape": "oval"}, {"shape": {}}) is None


def test_hostile_descriptors_are_shown_as_text():
    assert_shown_as_text(lambda words: Differences.of({words: words}, {words: {f"{words}!": 1.0}}))
