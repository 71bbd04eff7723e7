"""A running page with the fake engine, in a process of its own with a private upload folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Site:
    """A page being served, where its uploads would lie, and all that its process may write."""

    url: str
    uploads: Path
    folder: Path
    facts: dict[str, Any]

    def traces(self) -> list[str]:
        """Every file below the upload folder; the folders' names carry the content's hash."""
        return [str(path) for path in self.uploads.rglob("*") if path.is_file()]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as served:
        yield served


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Site]:
    """Serve the page with the fake engine.

    Args:
        folder: all that the process may write.
        words: further arguments of `tests.ui.serve_fake`.
    """
    names = ("HOME", "TMPDIR", "JOMED_LOG_DIR", "XDG_CACHE_HOME", "XDG_STATE_HOME", "MPLCONFIGDIR")
    own = {name: str(folder / name.lower()) for name in names}
    for path in own.values():
        Path(path).mkdir()
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.ui.serve_fake", str(folder), *words],
            cwd=REPOSITORY,
            env={**os.environ, **own, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        first = server.stdout.readline()
        assert first.startswith("{"), (folder / "server.log").read_text()
        facts = json.loads(first)
        try:
            yield Site(url=facts["url"], uploads=folder / "uploads", folder=folder, facts=facts)
        finally:
            server.stdin.close()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
    assert "DOE" not in (folder / "server.log").read_text()
