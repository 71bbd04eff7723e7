"""A corpus of drawn images and an index over it; no weights needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.retrieval.build import build_index
from jomed_app.retrieval.index import CandidateIndex
from tests.retrieval.drawn import DrawnEncoder, draw_case

Corpus = tuple[Path, list[CaseRecord]]


@pytest.fixture
def encoder() -> DrawnEncoder:
    return DrawnEncoder()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """24 cases; c000 and c001 are one group, c002 and c003 another one."""
    folder = tmp_path_factory.mktemp("corpus")
    groups = {0: "twins", 1: "twins", 2: "patient", 3: "patient"}
    return folder, [draw_case(folder, n, group=groups.get(n, "")) for n in range(24)]


@pytest.fixture(scope="session")
def index_folder(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built index; read only, copy it before changing a file."""
    folder, records = corpus
    out = tmp_path_factory.mktemp("built") / "drawn"
    build_index(records, folder, DrawnEncoder(), out, name="drawn", batch_size=10)
    return out


@pytest.fixture(scope="session")
def index(index_folder: Path) -> CandidateIndex:
    return CandidateIndex.load(index_folder, "a1b2")


@pytest.fixture
def index_copy(index_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(index_folder, tmp_path / "copy"))


@pytest.fixture
def flip_byte() -> Callable[[Path, float], None]:
    """Flip one bit of one byte of a file, at a share of its length in [0, 1)."""

    def flip(path: Path, share: float) -> None:
        content = bytearray(path.read_bytes())
        content[int(share * len(content))] ^= 0x01
        path.write_bytes(bytes(content))

    return flip
