"""The lock holds the wheels of both Pythons, and agrees with what the tests run with."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = REPOSITORY / "requirements.lock"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")


@pytest.fixture
def lock():
    spec = importlib.util.spec_from_file_location("lock", REPOSITORY / ".ci" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(m[1]): m[2] for line in lines if (m := PINNED.match(line))}


def told(name: str, version: str, digest: str) -> dict[str, object]:
    archive = {"archive_info": {"hashes": {"sha256": digest}}}
    return {"metadata": {"name": name, "version": version}, "download_info": archive}


def test_the_wheels_of_both_pythons_stand_under_one_package(lock):
    text = lock.lock_text(
        [
            {"install": [told("B_b", "2", "bb"), told("a", "1", "cc")]},
            {"install": [told("a", "1", "aa"), told("b-b", "2", "bb")]},
        ]
    )
    assert text.removeprefix(lock.HEAD) == (
        "a==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:cc\nb-b==2 \\\n    --hash=sha256:bb\n"
    )


def test_the_lock_agrees_with_the_constraints_and_the_requirements(lock):
    locked, constrained = pins(LOCK), pins(REPOSITORY / "constraints.txt")
    assert {name: constrained.get(name) for name in locked} == locked
    asked = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert locked.keys() == lock.needed(asked), "write it anew: .venv/bin/python .ci/lock.py"
    assert "torch" not in locked, "its hash depends on where its build comes from"


def test_every_line_of_the_lock_has_a_hash_and_names_no_place():
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert "-url" not in text
    blocks = [block for block in re.split(r"\n(?=[a-z])", text) if PINNED.match(block)]
    assert len(blocks) == len(pins(LOCK)) > 50
    for block in blocks:
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}(?![0-9a-f])", block), block.split()[0]


def test_development_tools_are_pinned():
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    for name, group in groups["dependency-groups"].items():
        assert all("==" in each for each in group), name
