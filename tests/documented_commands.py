"""Every command that the project shows: in pages, heads of TOML files and texts of the code."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CODE = ("jomed_app", "benchmarks", "tools")
PROGRAM = re.compile(r"python -m ((?:jomed_app|benchmarks|tools)(?![\w/]).*)")
TARGET = re.compile(r"(?:^|run: )make ([a-z-]+)((?: [A-Z_]+=\S+)*)$")


@dataclass(frozen=True, order=True)
class Command:
    """One command as it is shown.

    Attributes:
        words: behind `python -m`, or from `make` on; brackets around what may be left out are gone.
        place: file that shows it.
        is_short: it only names a command ("train align", "index build ...") without its options.
    """

    words: tuple[str, ...]
    place: str
    is_short: bool = False


def shown_commands(root: Path = REPOSITORY) -> list[Command]:
    """Every command in README, docs, heads of TOML files and texts of the code, file by file."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    found = [each for page in pages if page.is_file() for each in in_text(_text(page), page, root)]
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.toml")):
            head = "".join(re.findall(r"^# ?(.*\n)", _text(path), flags=re.MULTILINE))
            found += in_text(head, path, root)
        for path in sorted((root / folder).rglob("*.py")):
            for text in _texts(ast.parse(_text(path))):
                found += in_text(text, path, root)
    return found


def in_text(text: str, path: Path, root: Path) -> Iterator[Command]:
    """Commands in code spans, and on lines of their own."""
    text = re.sub(r"\\\n", " ", text)
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)|<code>(.+?)</code>", text)
    lines = re.sub(r"(?<!`)`[^`]+`(?!`)|<code>.+?</code>", "", text).splitlines()
    for shown in [*(" ".join("".join(span).split()) for span in spans), *lines]:
        if found := PROGRAM.search(shown):
            words = _words(found[1])
        elif found := TARGET.search(shown.split("  ")[0]):
            words = ["make", found[1], *found[2].split()]
        else:
            continue
        is_short = words[-1] == "..." or all(re.fullmatch(r"[a-z][a-z-]*", w) for w in words[1:])
        place = path.relative_to(root).as_posix()
        yield Command(tuple(word for word in words if word != "..."), place, is_short)


def made_commands(target: str) -> list[Command]:
    """Which of our own programs `make` would run for a target."""
    words = ["make", "-n", "DATA=DIR", "NUM_CASES=4", target]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return list(in_text(done.stdout, REPOSITORY / "Makefile", REPOSITORY))


def _words(shown: str) -> list[str]:
    """Split a command; a comment behind it, brackets and the end of a sentence are no words."""
    words = shlex.split(re.sub(r"[\[\]]", "", shown), comments=True)
    if words[-1] != "...":
        words[-1] = words[-1].rstrip(".;,:)")
    return words


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _texts(tree: ast.Module) -> Iterator[str]:
    """Every text of a module; what is filled into one is X."""
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            parts = (p.value if isinstance(p, ast.Constant) else "X" for p in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            yield str(node.value)
