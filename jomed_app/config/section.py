"""What every section is: frozen plain values, checked at birth, refused in a user's own words.

Add a setting by adding a field to a section; reading, overrides, range checks, error texts and
storage follow from the declaration.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from jomed_app.errors import ConfigError

SectionT = TypeVar("SectionT", bound="Section")
Texts = Annotated[tuple[str, ...], Field(strict=False)]  # TOML and JSON know lists only

REQUIRED = {  # pydantic's name of a fault -> what a value must be
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "model_type": "a table of settings",
}
OUT_OF_RANGE = {"greater_than_equal", "less_than_equal", "finite_number"}


class Section(BaseModel):
    """Base of every section. A bool is never a number; a whole number will do for a fraction."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def replaced(self, **changes: object) -> Self:
        """Return a copy in which some values are others, checked like all.

        Raises:
            ConfigError: if a key is unknown, or a value has the wrong type or lies out of range.
        """
        return build_section(type(self), dict(self) | changes)


def build_section(kind: type[SectionT], values: Mapping[str, object]) -> SectionT:
    """Build a section, and the sections inside it, from plain values; what is left out is default.

    Raises:
        ConfigError: if a key is unknown, or a value has the wrong type or lies out of range. All
            that is wrong is named at once.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_fault(each, kind) for each in error.errors())) from error


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a TOML file as nested plain values.

    Args:
        path: the file.
        what: it is, for the message.

    Raises:
        ConfigError: if it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{what} is required, cannot read '{path}'") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"'{path.name}' must be valid TOML: {error}") from error


def keys_of(kind: type[Section], prefix: str = "") -> Iterator[str]:
    """Yield every key that holds a value, in dotted form, in order of declaration."""
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from keys_of(inner, prefix=f"{prefix}{name}.")
        else:
            yield prefix + name


def _fault(found: Mapping[str, Any], kind: type[Section]) -> str:
    """One fault of pydantic's list as: key, what is required, what was found."""
    place = [str(part) for part in found["loc"]]
    if found["type"] == "extra_forbidden":
        return _unknown(place, kind)
    if found["type"] in OUT_OF_RANGE:
        required = _range(_table(place, kind).model_fields[place[-1]])
    elif found["type"] == "literal_error":
        required = str(found["ctx"]["expected"])
    else:
        required = REQUIRED.get(found["type"], str(found["msg"]))
    return f"'{'.'.join(place)}' must be {required}, found {found['input']!r}"


def _unknown(place: list[str], kind: type[Section]) -> str:
    """Say that a key is unknown, and name the nearest that may stand there, else all of them."""
    known = list(_table(place, kind).model_fields)
    if near := difflib.get_close_matches(place[-1], known, n=1):
        meant = ".".join([*place[:-1], *near])
    else:  # a key without its section
        meant = next((key for key in keys_of(kind) if key.split(".")[1:] == place), "")
    hint = f"did you mean '{meant}'?" if meant else f"known are {', '.join(known)}"
    return f"unknown key '{'.'.join(place)}'; {hint}"


def _table(place: list[str], kind: type[Section]) -> type[Section]:
    """The section in which a key stands."""
    for name in place[:-1]:
        kind = cast(type[Section], kind.model_fields[name].annotation)
    return kind


def _range(field: FieldInfo) -> str:
    """The declared range in words."""
    low, high = (
        next((getattr(each, name) for each in field.metadata if hasattr(each, name)), None)
        for name in ("ge", "le")
    )
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return "a finite number" if high is None else f"at most {high}"
