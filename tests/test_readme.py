from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL))


@pytest.fixture(scope="module")
def header() -> dict[str, object]:
    assert TEXT.startswith("---\n")
    return yaml.safe_load(TEXT.split("---\n")[1])


def pinned(package: str) -> str:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.split("==")[1] for line in lines if line.startswith(f"{package}=="))


def test_the_space_header_says_what_a_space_needs(header):
    assert header["sdk"] == "gradio"
    assert header["app_file"] == "app.py"
    assert header["license"] == "apache-2.0"
    assert len(header["short_description"]) <= 60
    assert header["python_version"] in {"3.11", "3.12"}


def test_the_space_runs_the_gradio_that_is_tested(header):
    assert header["sdk_version"] == pinned("gradio")


def test_the_first_screen_says_what_this_is_not():
    first_screen = TEXT.split("---\n", 2)[2].splitlines()[:20]
    assert any("not a medical device" in line for line in first_screen)
    assert any("docs/images/screenshot.png" in line for line in first_screen)
    assert [line.split("  ")[0] for line in first_screen if line.startswith("make ")] == [
        "make demo",
        "make test",
    ]


def test_every_make_target_exists():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    assert {"help", "setup", "demo", "test", "lint", "types", "bench", "clean"} <= targets
    assert set(re.findall(r"\bmake ([a-z-]+)", SHELL)) <= targets
    listed = re.search(r"`make help` lists the rest: (.*)", TEXT)
    assert listed is not None
    assert set(re.findall(r"`([a-z-]+)`", listed[1])) <= targets


def test_ci_runs_the_test_command_of_the_readme():
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert "make lint types" in script
    assert re.search(r"^make test", script, flags=re.MULTILINE)
    assert "set -euo pipefail" in script


def test_every_path_that_it_names_exists():
    tree = re.search(r"## The tree\n\n```\n(.*?)```", TEXT, flags=re.DOTALL)
    assert tree is not None
    missing = []
    for line in tree[1].splitlines():
        name = line.split()[0]
        base = REPOSITORY / "jomed_app" if line.startswith("  ") else REPOSITORY
        if not (base / name).exists():
            missing.append(name)
    for place in re.findall(r"`([\w/]+/\w+\.py|[\w/.]+\.(?:txt|md)|[\w/]+/)`", TEXT):
        if not any((root / place).exists() for root in (REPOSITORY, REPOSITORY / "jomed_app")):
            missing.append(place)
    for place in re.findall(r"\]\(((?!http)[^)]+)\)", TEXT):
        if not (REPOSITORY / place).exists():
            missing.append(place)
    assert missing == []


def test_the_development_tools_are_pinned_once():
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    for requirement in project["dependency-groups"]["dev"]:
        name, version = requirement.split("==")
        assert pinned(re.sub(r"^pyyaml$", "PyYAML", name).replace("pre-commit", "pre_commit")) == (
            version
        )
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    ruff = next(repo for repo in hooks["repos"] if repo["repo"].endswith("ruff-pre-commit"))
    assert ruff["rev"] == f"v{pinned('ruff')}"
