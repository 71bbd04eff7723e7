"""The file of judgements: whole rows, one word a reading, a full disk and a killed process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from jomed_app.errors import ConfigError, RecordError, StorageError
from jomed_app.feedback.store import VERSION, FeedbackStore, read_judgements
from tests.feedback.made import judgement

REPOSITORY = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from pathlib import Path
from jomed_app.feedback.store import FeedbackStore
from tests.feedback.made import judgement
store = FeedbackStore(Path(sys.argv[1]), b"k" * 32)
for number in range(100_000):
    store.save(judgement(f"r{number}", said="x" * 200))
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "kept" / "feedback.sqlite"


@pytest.fixture
def store(path):
    made = FeedbackStore(path, b"k" * 32)
    yield made
    made.close()


def test_the_last_word_on_a_reading_stands_and_the_first_is_told(path, store):
    told = []
    store.on_new = told.append
    store.save(judgement("r1"))
    store.save(judgement("r2", said="O'Hara; DROP TABLE judgement", similar={"case-0": False}))
    store.save(judgement("r1", verdict="disagree"))
    kept = read_judgements(path)
    assert {each.reading: each.verdict for each in kept} == {"r1": "disagree", "r2": "agree"}
    assert kept[1].similar == {"case-0": False}
    assert [each.verdict for each in told] == ["agree", "agree"]
    assert path.stat().st_mode & 0o077 == 0, "its owner alone reads it"


def test_two_processes_may_write_one_file(path, store):
    other = FeedbackStore(path, b"k" * 32)
    for number in range(4):
        (store, other)[number % 2].save(judgement(f"r{number}"))
    other.close()
    assert len(read_judgements(path)) == 4


def test_a_full_disk_is_one_sentence_and_loses_nothing(path, store):
    store.save(judgement("r1"))
    (pages,) = store._rows.execute("PRAGMA page_count").fetchone()
    store._rows.execute(f"PRAGMA max_page_count = {pages}")
    full = [judgement(f"full {number}", said="x" * 300) for number in range(200)]
    with pytest.raises(StorageError, match=r"'feedback.sqlite', found: database or disk is full"):
        list(map(store.save, full))
    kept = len(read_judgements(path))
    store._rows.execute("PRAGMA max_page_count = 1000000")
    store.save(judgement("r3"))
    assert len(read_judgements(path)) == kept + 1
    assert "r1" in {each.reading for each in read_judgements(path)}


def test_what_was_confirmed_outlives_a_killed_process(path):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        for _ in range(20):
            last = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read().split("\n")
    confirmed = max([last, *(int(each) for each in rest[:-1])])
    kept = {each.reading for each in read_judgements(path)}
    assert {f"r{number}" for number in range(confirmed + 1)} <= kept


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"no data base at all" * 99), "found something else"),
        (lambda path: _version(path, VERSION + 1), f"version {VERSION}, found version 2"),
        (lambda path: _version(path, 0), "found version 0"),
    ],
)
def test_another_file_is_refused(tmp_path, make, said):
    path = tmp_path / "other.sqlite"
    make(path)
    with pytest.raises(ConfigError, match=rf"'other.sqlite' must be a file of judgements.*{said}"):
        FeedbackStore(path, b"k" * 32)


def _version(path: Path, version: int) -> None:
    made = sqlite3.connect(path)
    made.execute("CREATE TABLE something (x)")
    made.execute(f"PRAGMA user_version = {version}")
    made.close()


def test_a_place_that_cannot_be_written_and_a_damaged_row_are_said(tmp_path, path, store):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"require room and permission to write 'x.sqlite'"):
        FeedbackStore(tmp_path / "file" / "x.sqlite", b"k" * 32)
    with pytest.raises(ConfigError, match=r"'none.sqlite' must be the file that \[app.feedback\]"):
        read_judgements(tmp_path / "none.sqlite")
    with store._rows:
        store._rows.execute("INSERT INTO judgement VALUES ('r', 'now', '{}')")
    with pytest.raises(RecordError, match=r"follow schema jomed.feedback/1, found reading"):
        read_judgements(path)
