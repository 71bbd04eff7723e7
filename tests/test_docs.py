"""What the pages in docs say of the code: places that are there, words that stand in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jomed_app import __version__

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
ROOTS = (REPOSITORY, REPOSITORY / "jomed_app", DOCS)
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("adr/*.md"))]
PATH = re.compile(r"`([\w./-]+/[\w.-]*|[\w/-]+\.(?:py|md|toml|txt|html|json))`")
LINK = re.compile(r"\]\(((?!https?:)[^)#]+)")
# Written by a run or a user, not kept here.
NOT_KEPT = re.compile(
    r"^(\.venv|out|checkpoints|RUN|rewards|images)/|^/|~|\.jsonl?$|^(wrist|mine)\.|^jomed\.\w+/\d"
)


def places(text: str, page: Path) -> list[str]:
    """Paths that a page names and that are nowhere."""
    named = [each for each in PATH.findall(text) if not NOT_KEPT.search(each)]
    absent = [each for each in named if not found(each)]
    linked = [each for each in LINK.findall(text) if not (page.parent / each).exists()]
    return absent + linked


def found(place: str) -> Path | None:
    """What a page means: from the top, the package or docs; a bare name may lie anywhere."""
    if there := [root / place for root in ROOTS if (root / place).exists()]:
        return there[0]
    rooms = [] if "/" in place else ["jomed_app", "benchmarks", "tests"]
    return next((each for room in rooms for each in (REPOSITORY / room).rglob(place)), None)


def glossary_rows(text: str) -> list[tuple[str, list[str]]]:
    """(term, what the last cell names) of every table row."""
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [
        (row[0].strip(), re.findall(r"`([^`]+)`", row[-1]))
        for row in rows
        if row[-1].strip() not in ("where", "here")
    ]


def missing_words(names: list[str]) -> list[str]:
    """Names without a place, and words that stand in none of the row's files."""
    files = [place for name in names if "/" in name or "." in name for place in [found(name)]]
    if not files or None in files:
        return [f"no such place among {names}"]
    texts = [
        each.read_text(encoding="utf-8")
        for place in files
        if place is not None
        for each in ([place] if place.is_file() else sorted(place.glob("*.py")))
    ]
    words = [name for name in names if "/" not in name and "." not in name]
    return [word for word in words if not any(re.search(rf"\b{word}\b", text) for text in texts)]


def absent_names(text: str, code: str) -> list[str]:
    """Names in code spans, of several words, whose last part stands nowhere in the code."""
    named = [each.split(".")[-1] for each in re.findall(r"`([A-Za-z_][\w.]*)`", text)]
    ours = [each for each in named if "_" in each or each != each.lower()]
    return [each for each in ours if not re.search(rf"\b{each}\b", code)]


@pytest.fixture(scope="module")
def code():
    """All that is code or settings, as one text."""
    folders = ("jomed_app", "benchmarks", "tests")
    files = [each for folder in folders for each in (REPOSITORY / folder).rglob("*.*")]
    texts = [REPOSITORY / "Makefile", REPOSITORY / ".ci" / "run"]
    texts += [each for each in files if each.suffix in {".py", ".toml", ".html", ".jinja"}]
    others = [each for each in texts if each.name != Path(__file__).name]
    return "\n".join(each.read_text(encoding="utf-8") for each in others)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_place_that_a_page_names_is_there(page):
    assert places(page.read_text(encoding="utf-8"), page) == []


def test_every_word_of_the_glossary_stands_where_it_says():
    rows = glossary_rows((DOCS / "glossary.md").read_text(encoding="utf-8"))
    assert len(rows) > 70
    assert {term: missing for term, names in rows if (missing := missing_words(names))} == {}


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name != "adr"], ids=lambda p: p.name)
def test_a_page_names_nothing_that_left_the_code(page, code):
    assert absent_names(page.read_text(encoding="utf-8"), code) == []


def test_no_term_of_the_glossary_has_two_meanings():
    terms = [term for term, _ in glossary_rows((DOCS / "glossary.md").read_text("utf-8"))]
    each = [part.strip() for term in terms for part in term.split(",") if "arXiv" not in term]
    assert len(set(each)) == len(each)


def test_every_decision_is_in_the_index():
    index = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    for page in sorted(DOCS.glob("adr/0*.md")):
        head = page.read_text(encoding="utf-8").split("\n")[0]
        _, number, title = head.split(" ", 2)
        assert page.name.startswith(number)
        assert f"| {number} | [{title}]({page.name}) |" in index


def test_the_changelog_begins_with_this_version_and_knows_the_shipped_bundle():
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.*)", text, flags=re.MULTILINE)
    assert sections[0].startswith(("[Unreleased]", f"[{__version__}] - "))
    assert any(each.startswith(f"[{__version__}] - ") for each in sections)
    manifest = json.loads((REPOSITORY / "assets" / "bundle" / "manifest.json").read_text("utf-8"))
    assert any(each.startswith(f"Bundle {manifest['version']} - ") for each in sections)
    kinds = set(re.findall(r"^### (.*)", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Removed", "Fixed", "Results"}


# The checks themselves must be able to fail.


def test_what_is_not_there_is_found():
    text = "see `models/nowhere.py`, `jomed_app/boxes.py`, `ui/panels/` and [x](nothing.md)"
    assert places(text, REPOSITORY / "README.md") == ["models/nowhere.py", "nothing.md"]
    assert missing_words(["boxes.py", "Box", "Sphere"]) == ["Sphere"]
    assert missing_words(["Box"]) == ["no such place among ['Box']"]
    assert absent_names("`Box` and `boxes.Sphere`", "class Box:") == ["Sphere"]
    table = "| term | means | where |\n|---|---|---|\n| box | XYXY | `boxes.py` `Box` |"
    assert glossary_rows(table) == [("box", ["boxes.py", "Box"])]
