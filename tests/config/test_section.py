from __future__ import annotations

import re

import pytest
from pydantic import Field, ValidationError

from jomed_app.config.section import Section, Texts, build_section, keys_of
from jomed_app.errors import ConfigError


class Inner(Section):
    size: int = Field(default=4, ge=1, le=8)
    ratio: float = Field(default=0.5, le=1.0)
    scale: float = 1.0
    names: Texts = ("a",)
    is_open: bool = False


class Outer(Section):
    inner: Inner = Inner()


def build(**inner):
    return build_section(Outer, {"inner": inner}).inner


def test_values_become_what_a_field_holds():
    found = build(ratio=1, names=["x", "y"])
    assert (found.ratio, found.names) == (1.0, ("x", "y"))
    assert isinstance(found.ratio, float)
    assert build() == Inner()


def test_nothing_can_be_changed_or_added():
    section = Inner()
    for name in ("size", "other"):
        with pytest.raises(ValidationError, match=r"frozen|no field"):
            setattr(section, name, 1)


def test_equal_sections_are_one_key_of_a_table():
    assert {Outer(): 1}[Outer(inner=Inner(size=4))] == 1
    assert hash(Outer()) != hash(Outer(inner=Inner(size=5)))


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ({"size": 0}, "'inner.size' must be between 1 and 8, found 0"),
        ({"size": 9}, "'inner.size' must be between 1 and 8, found 9"),
        ({"size": True}, "'inner.size' must be a whole number, found True"),
        ({"size": 2.0}, "'inner.size' must be a whole number, found 2.0"),
        ({"size": "2"}, "'inner.size' must be a whole number, found '2'"),
        ({"ratio": 2.0}, "'inner.ratio' must be at most 1.0, found 2.0"),
        ({"ratio": float("nan")}, "'inner.ratio' must be at most 1.0, found nan"),
        ({"scale": float("inf")}, "'inner.scale' must be a finite number, found inf"),
        ({"scale": False}, "'inner.scale' must be a number, found False"),
        ({"names": "a"}, "'inner.names' must be a list, found 'a'"),
        ({"names": ["a", 1]}, "'inner.names.1' must be a text, found 1"),
        ({"is_open": 1}, "'inner.is_open' must be true or false, found 1"),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(inner, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        build(**inner)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"sise": 1}}, "unknown key 'inner.sise'; did you mean 'inner.size'?"),
        ({"size": 1}, "unknown key 'size'; did you mean 'inner.size'?"),
        ({"iner": {}}, "unknown key 'iner'; did you mean 'inner'?"),
        ({"zzz": 1}, "unknown key 'zzz'; known are inner"),
        (
            {"inner": {"zzz": 1}},
            "unknown key 'inner.zzz'; known are size, ratio, scale, names, is_open",
        ),
        ({"inner": 3}, "'inner' must be a table of settings, found 3"),
    ],
)
def test_an_unknown_key_names_the_nearest(values, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        build_section(Outer, values)


def test_all_that_is_wrong_is_named_at_once():
    message = "'inner.size' must be between 1 and 8, found 0; unknown key 'inner.nams'"
    with pytest.raises(ConfigError, match=message):
        build(size=0, nams=1)


def test_a_changed_copy_is_checked_too():
    section = Inner(size=2)
    assert section.replaced(scale=3) == Inner(size=2, scale=3.0)
    assert section.size == 2
    with pytest.raises(ConfigError, match="'size' must be between 1 and 8, found 0"):
        section.replaced(size=0)
    with pytest.raises(ConfigError, match="unknown key 'sice'; did you mean 'size'"):
        section.replaced(sice=1)
    assert Outer().replaced(inner=section).inner is section


def test_keys_are_listed_in_dotted_form():
    assert list(keys_of(Outer))[:2] == ["inner.size", "inner.ratio"]
    assert list(keys_of(Inner))[-1] == "is_open"
