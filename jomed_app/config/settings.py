"""How settings are declared, checked and read: the machinery under `config.py`."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from jomed_app.errors import ConfigError

T = TypeVar("T")
SectionT = TypeVar("SectionT", bound="Section")


def setting(default: T, *, low: float | None = None, high: float | None = None) -> T:
    """Declare a field with an inclusive range; `low` and `high` apply to numbers."""
    declared: T = field(default=default, metadata={"low": low, "high": high})
    return declared


@dataclass(frozen=True, slots=True)
class Section:
    """Base of every section: types and ranges are checked at birth.

    Raises:
        ConfigError: if a value has another type than declared or lies outside its range.
    """

    def __post_init__(self) -> None:
        hints = type_hints(type(self))
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if not _matches(value, hints[item.name]):
                raise ConfigError(
                    f"'{item.name}' must be {_spoken(hints[item.name])}, found {value!r}"
                )
            low, high = item.metadata.get("low"), item.metadata.get("high")
            if not _within(value, low, high):
                raise ConfigError(f"'{item.name}' must be {_range_text(low, high)}, found {value}")


def build_section(kind: type[SectionT], values: Mapping[str, object]) -> SectionT:
    """Build a section, and the sections inside it, from nested plain values.

    Args:
        kind: the outermost section; its fields may be sections themselves.
        values: what TOML reads; a key left out keeps its default.

    Raises:
        ConfigError: if a key is unknown, or a value has the wrong type or lies outside its range.
    """
    return typing.cast(SectionT, _build(kind, values, prefix="", root=kind))


def apply_override(values: dict[str, Any], override: str, kind: type[Section]) -> None:
    """Set one "section.key=value" in nested tables, in place; a bare word is taken as a string.

    Raises:
        ConfigError: if there is no "=" or the key runs through a plain value.
    """
    key, sign, text = override.partition("=")
    key = key.strip()
    if not sign or not key:
        raise ConfigError(f"an override must be section.key=value, found '{override}'")
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *tables, last = key.split(".")
    for name in tables:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise _unknown_key(key, kind)
    values[last] = value


def valid_keys(kind: type[Section], prefix: str = "") -> Iterator[str]:
    """Yield every settable key in dotted form, in order of declaration."""
    for name, hint in type_hints(kind).items():
        if _is_section(hint):
            yield from valid_keys(hint, prefix=f"{prefix}{name}.")
        else:
            yield prefix + name


def type_hints(kind: type[Section]) -> dict[str, Any]:
    """Return field name -> resolved type."""
    return typing.get_type_hints(kind)


def _build(
    kind: type[Section], values: Mapping[str, object], prefix: str, root: type[Section]
) -> Section:
    """Build one section and those inside it; `prefix` names it in errors."""
    hints = type_hints(kind)
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in hints:
            raise _unknown_key(prefix + name, root)
        hint = hints[name]
        if _is_section(hint):
            if not isinstance(value, Mapping):
                raise ConfigError(f"'{prefix}{name}' must be a table of settings, found {value!r}")
            arguments[name] = _build(hint, value, f"{prefix}{name}.", root)
        else:
            arguments[name] = _coerced(value, hint)
    try:
        return kind(**arguments)
    except ConfigError as error:
        raise ConfigError(f"in [{prefix.rstrip('.') or 'top level'}]: {error}") from error


def _unknown_key(key: str, root: type[Section]) -> ConfigError:
    """Return the error for an unknown key, naming the nearest valid one."""
    close = difflib.get_close_matches(key, list(valid_keys(root)), n=1, cutoff=0.5)
    if close:
        return ConfigError(f"unknown key '{key}'; did you mean '{close[0]}'?")
    return ConfigError(f"unknown key '{key}'; sections are {', '.join(type_hints(root))}")


def _is_section(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Section)


def _coerced(value: object, hint: Any) -> object:
    """Turn what TOML can write into what a field holds: int to float, list to tuple."""
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_coerced(item, typing.get_args(hint)[0]) for item in value)
    return value


def _matches(value: object, hint: Any) -> bool:
    """Whether a value has the declared type; a bool is never a number."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(_matches(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_matches(item, arguments[0]) for item in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _spoken(hint: Any) -> str:
    """Return a type in words a user knows."""
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in typing.get_args(hint))
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return words.get(hint, str(hint))


def _within(value: Any, low: float | None, high: float | None) -> bool:
    """Whether low <= value <= high; NaN never is."""
    return (low is None or value >= low) and (high is None or value <= high)


def _range_text(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"
