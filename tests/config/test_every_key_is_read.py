"""A key does what it says: code outside `config/` reads it, and tells its choices apart."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from jomed_app.config import JomedConfig
from jomed_app.config.backbones import BackbonesConfig, ServedBackbonesConfig
from jomed_app.config.section import Section
from tests.config.key_reads import Package, idle_choices, read_outside, unread_keys

REPOSITORY = Path(__file__).resolve().parents[2]
INSIDE = "jomed_app.config"
ROOTS = (JomedConfig, BackbonesConfig, ServedBackbonesConfig)


@pytest.fixture(scope="module")
def package():
    return Package(REPOSITORY, "jomed_app")


@pytest.fixture(scope="module")
def reads(package):
    return read_outside(package, INSIDE)


def literals(section: type[Section]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Every key of a section, and of the sections in it, that names its choices."""
    found = {}
    for name, declared in section.model_fields.items():
        kind = declared.annotation
        if get_origin(kind) is Literal:
            found[f"{section.__module__}.{section.__name__}", name] = get_args(kind)
        elif isinstance(kind, type) and issubclass(kind, Section):
            found |= literals(kind)
    return found


def declared(section: type[Section]) -> set[tuple[type, str]]:
    """Every key of a section, and of the sections in it, with the class that declares it."""
    found: set[tuple[type, str]] = set()
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= declared(field.annotation)
        else:
            found.add((next(c for c in section.__mro__ if name in c.__annotations__), name))
    return found


def test_the_syntax_trees_show_every_key(package):
    counted = sum(len(keys) for keys in package.sections().values())
    assert counted == len(set[tuple[type, str]]().union(*map(declared, ROOTS))) > 100


def test_every_key_is_read(package, reads):
    assert unread_keys(package.sections(), reads) == []


def test_every_choice_changes_something(reads):
    choices = {key: words for root in ROOTS for key, words in literals(root).items()}
    assert len(choices) >= 9
    assert idle_choices(choices, reads) == []


# The checks themselves must be able to fail.

SECTIONS = """
from pydantic import Field
class Section: ...
class Tower(Section):
    width: int = Field(default=3, ge=1)
    depth: int = 2
    solver: str = "a"
class High(Tower):
    pass
class Reader(Section):
    width: int = 3
    @property
    def area(self) -> int:
        return self.width * self.width
class All(Section):
    tower: Tower = Tower()
    reader: Reader = Reader()
"""


@pytest.fixture
def faults(tmp_path):
    """Unread keys and idle choices of a pretended package with one module of code."""

    def find(code: str) -> tuple[list[str], list[str]]:
        for name, text in {
            "pack/config/__init__.py": "from pack.config.load import All, High, Reader, Tower",
            "pack/config/load.py": SECTIONS + "def derived(tower: Tower):\n    return tower.depth",
            "pack/code.py": code,
        }.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(code if name == "pack/code.py" else text)
        package = Package(tmp_path, "pack")
        reads = read_outside(package, "pack.config")
        key = ("pack.config.load.Tower", "solver")
        return (
            unread_keys(package.sections(), reads),
            idle_choices({key: ("a", "b", "c+d")}, reads),
        )

    return find


HEAD = "from pack.config import All, High, Reader, Tower\n"
ALL_KEYS = ["Tower.width", "Tower.depth", "Tower.solver", "Reader.width"]


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("", ()),
        ("def f(tower: Tower):\n    return tower.width", ("Tower.width",)),
        ("def f(tower: Tower | None):\n    return tower.width", ("Tower.width",)),
        ("def f(tower: High):\n    return tower.width", ("Tower.width",)),
        ("def f(tower):\n    return tower.width", ()),
        ("def f(other: Reader):\n    return other.depth, other.solver", ()),
        ("class Box:\n    width = 1\ndef f(box: Box):\n    return box.width", ()),
        ("def f(all: All):\n    part = all.tower\n    return part.depth", ("Tower.depth",)),
        ("def f(all: All):\n    a, b = 1, all.reader\n    return b.width", ("Reader.width",)),
        (
            "def f(tower: Tower):\n    def g():\n        for tower in ():\n            tower.width",
            (),
        ),
        ("def f(all: All):\n    return all.tower.replaced(depth=1).width", ("Tower.width",)),
        ("def g() -> All: ...\ndef f():\n    return g().reader.width", ("Reader.width",)),
        ("def f(tower: Tower):\n    return lambda: tower.width", ("Tower.width",)),
        ("def f(tower: Tower):\n    tower.width = 3", ()),
        ("def f(reader: Reader):\n    return reader.area", ("Reader.width",)),
        (
            "class A:\n    def __init__(self, all: All) -> None:\n        self.all = all\n"
            "class B:\n    a: A\n    @property\n    def tower(self) -> Tower:\n"
            "        return self.a.all.tower\n    def f(self):\n        return self.tower.width",
            ("Tower.width",),
        ),
    ],
)
def test_an_unread_key_is_found(faults, code, read):
    assert faults(HEAD + code)[0] == [key for key in ALL_KEYS if key not in read]


@pytest.mark.parametrize(
    ("code", "idle"),
    [
        ("", ["a", "b", "c+d"]),
        ("'''a, b'''\nx = 'b'", ["a", "b", "c+d"]),
        ("TABLE = {'a': 1, 'c': 2}", ["b", "c+d"]),
        ("TABLE = {'a': 1, 'b': 2}", []),
        ("def f(names):\n    return 'c' in names or 'd' in names", ["a", "b"]),
        ("def f(x):\n    match x:\n        case 'a' | 'b':\n            return 1", []),
        ("def f(t: Tower):\n    return t.solver in ('a', 'b')", []),
        ("def f(t: Tower, x):\n    return t.solver == 'a' or x == 'b'", ["b", "c+d"]),
    ],
)
def test_a_choice_that_nothing_tells_apart_is_found(faults, code, idle):
    assert faults(HEAD + code)[1] == [f"Tower.solver = {word}" for word in idle]
