"""Descriptions of public sets: where each lives, on which terms, and how it is laid out.

A description is a TOML file. Those that ship lie in `sets/`; a user adds one by writing such a file
and giving its path in place of a name.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from jomed_app.errors import ConfigError, first_fault
from jomed_app.types import Frozen

FOLDER = Path(__file__).parent / "sets"
SHA256 = "^[0-9a-f]{64}$"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def check_address(value: str) -> str:
    """Return an address that may be asked: https, or http on this machine.

    Raises:
        ValueError: for any other.
    """
    parts = urlsplit(value)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return value
    raise ValueError("an address must begin with https://")


class NamedFile(Frozen):
    """A file at an address.

    Attributes:
        name: what it is called here; a plain name.
        url: https.
        size: bytes, where its publisher states them.
        sha256: where its publisher states it. One that nobody stated is noted at the first
            download and compared at every later one.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._()-]*$")
    url: str
    size: int | None = Field(default=None, gt=0)
    sha256: str | None = Field(default=None, pattern=SHA256)

    @field_validator("url")
    @classmethod
    def _may_be_asked(cls, value: str) -> str:
        return check_address(value)


class WebHome(Frozen):
    """Files at plain addresses."""

    kind: Literal["https"]
    files: tuple[NamedFile, ...] = Field(min_length=1)


class ZenodoHome(Frozen):
    """A record of Zenodo, which states size and MD5 of every file; `files` are name patterns."""

    kind: Literal["zenodo"]
    record: str = Field(pattern=r"^\d+$")
    files: tuple[str, ...] = Field(min_length=1)
    server: str = "https://zenodo.org"

    @field_validator("server")
    @classmethod
    def _may_be_asked(cls, value: str) -> str:
        return check_address(value)


class DataverseHome(Frozen):
    """A dataset of a Dataverse, which states size and MD5 of every file; `files` are patterns."""

    kind: Literal["dataverse"]
    doi: str = Field(pattern=r"^doi:10\.")
    files: tuple[str, ...] = Field(min_length=1)
    server: str = "https://dataverse.harvard.edu"

    @field_validator("server")
    @classmethod
    def _may_be_asked(cls, value: str) -> str:
        return check_address(value)


class HubHome(Frozen):
    """A dataset repository of the Hugging Face Hub; `files` are name patterns."""

    kind: Literal["hub"]
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = ""
    files: tuple[str, ...] = Field(min_length=1)


class PageHome(Frozen):
    """A page where a person gets the files; a program cannot. `--from` takes them then."""

    kind: Literal["page"]


Home = Annotated[
    WebHome | ZenodoHome | DataverseHome | HubHome | PageHome, Field(discriminator="kind")
]


class PublicSet(Frozen):
    """One public set.

    Attributes:
        name: as in `data get`; also the folder it is written to.
        title: name for people.
        task: the task that its cases are of.
        licence: its terms in words, or that it states none.
        page: its official page.
        about: what is in it, one sentence.
        layout: which reader of `layouts` understands its files.
        settings: what that reader needs to know beyond the layout.
        home: where its files are.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    title: str = Field(min_length=1)
    task: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    page: str
    about: str
    layout: str
    settings: dict[str, Any] = Field(default_factory=dict)
    home: Home

    @field_validator("page")
    @classmethod
    def _may_be_asked(cls, value: str) -> str:
        return check_address(value)


def load_set(name_or_path: str) -> PublicSet:
    """Load the description of a set that ships with the package, or one from a TOML file.

    Raises:
        ConfigError: if there is none, or it does not follow the schema.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        raise ConfigError(
            f"a public set must be one of {set_names()} or a TOML file that describes one, found "
            f"'{name_or_path}'; `data list` shows them"
        )
    try:
        return PublicSet.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"'{path.name}' must be valid TOML, found a fault: {error}; mend it"
        ) from error
    except ValidationError as error:
        raise ConfigError(
            f"'{path.name}' must describe a public set: {first_fault(error, 'the set')}; see "
            "docs/data.md"
        ) from error


def set_names() -> list[str]:
    """Names of the sets that ship, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))
