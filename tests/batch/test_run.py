"""Whole batches in processes of their own: killed, gone on with, and on several workers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.ui.conftest import REPOSITORY

NUM_IMAGES = 6


class Batch:
    """A folder of images and the command that reads it."""

    def __init__(self, folder: Path, bundle: Path, index: Path) -> None:
        self.folder, self.images = folder, folder / "images"
        self.place = ["--bundle", str(bundle), "--index", str(index), "--precision", "fp32"]
        (self.images / "ward").mkdir(parents=True)
        for number in range(NUM_IMAGES):
            data = simulated_png(FIRST_FRESH_SEED + number)
            (self.images / "ward" / f"DOE_JOHN_{number}.png").write_bytes(data)
        shutil.copy(self.images / "ward" / "DOE_JOHN_0.png", self.images / "copy.png")
        (self.images / "notes.txt").write_text("DOE JOHN, born 1950", encoding="utf-8")

    def start(self, out: str, *words: str) -> subprocess.Popen[str]:
        environment = {
            "JOMED_LOG_DIR": str(self.folder / "log"), "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "jomed_app", "diagnose", str(self.images), "--out",
             str(self.folder / out), *self.place, *words],
            cwd=self.folder, env=os.environ | environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, out: str, *words: str) -> str:
        process = self.start(out, *words)
        said, wrong = process.communicate(timeout=600)
        assert process.returncode == 0, wrong
        return said

    def cases(self, out: str) -> set[str]:
        found = (self.folder / out / "cases").glob("[!.]*.json")
        return {path.name for path in found if ".error." not in path.name}

    def tables(self, out: str) -> tuple[bytes, bytes]:
        place = self.folder / out
        return (place / "results.csv").read_bytes(), (place / "results.parquet").read_bytes()


@pytest.fixture(scope="module")
def batch(tmp_path_factory, tiny_bundle, tiny_index) -> Batch:
    return Batch(tmp_path_factory.mktemp("batch"), tiny_bundle, tiny_index)


@pytest.fixture(scope="module")
def whole(batch) -> str:
    """Read by two workers without a disturbance; what the command said."""
    return batch.run("whole", "--workers", "2", "--export", "csv,png")


def test_every_content_is_a_row_and_what_fails_is_a_sentence(batch, whole):
    rows = pq.read_table(batch.folder / "whole" / "results.parquet").to_pylist()
    assert len(rows) == NUM_IMAGES + 1
    failed = [row for row in rows if row["error"] is not None]
    assert len(failed) == 1
    assert "found another format" in failed[0]["error"]
    assert sorted(row["copies"] for row in rows) == [1] * NUM_IMAGES + [2]
    assert len(list((batch.folder / "whole" / "exports").iterdir())) == 2 * NUM_IMAGES
    assert f"{NUM_IMAGES + 2} files, 0 done before" in whole
    assert f"{NUM_IMAGES + 1} rows in results.csv and results.parquet, 1 of them" in whole


def test_no_name_of_a_file_is_left(batch, whole):
    for path in (batch.folder / "whole").rglob("*"):
        assert "DOE" not in path.name
        if path.is_file():
            assert b"DOE" not in path.read_bytes(), path.name
            assert b"ward/" not in path.read_bytes(), path.name


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(batch, whole):
    killed = batch.start("killed", "--workers", "2", "--export", "csv,png")
    started = time.monotonic()
    while not batch.cases("killed") and killed.poll() is None:
        assert time.monotonic() - started < 300
        time.sleep(0.01)
    below = psutil.Process(killed.pid).children(recursive=True)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    gone, alive = psutil.wait_procs(below, timeout=60)
    assert alive == [], "workers and decoders end with the process that started them"
    assert gone
    finished = batch.cases("killed")
    assert finished
    kept = {name: (batch.folder / "killed" / "cases" / name).read_bytes() for name in finished}
    said = batch.run("killed", "--export", "csv,png")
    assert "0 done before" not in said
    assert batch.tables("killed") == batch.tables("whole")
    for name, content in kept.items():
        assert (batch.folder / "killed" / "cases" / name).read_bytes() == content
    hidden = [path.name for path in (batch.folder / "killed").rglob(".*")]
    assert [name for name in hidden if name.split(".")[1] in {n[:64] for n in finished}] == []


def test_again_reads_nothing_and_changes_nothing(batch, whole):
    before = batch.tables("whole")
    said = batch.run("whole", "--export", "csv,png")
    assert f"{NUM_IMAGES + 2} files, {NUM_IMAGES + 2} done before;" in said
    assert batch.tables("whole") == before


def test_a_saved_case_is_of_the_picture_it_names(batch, whole):
    name = sorted(batch.cases("whole"))[0]
    kept = json.loads((batch.folder / "whole" / "cases" / name).read_text(encoding="utf-8"))
    assert kept["schema"] == "jomed.saved/1"
    assert len(kept["bundle_sha256"]) >= 16
    assert kept["result"]["versions"]["schema"] == "jomed.result/4"
