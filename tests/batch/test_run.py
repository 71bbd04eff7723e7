"""Whole batches: undisturbed, killed and gone on with, and on several workers."""

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
import torch

from jomed_app.batch.folder import BatchFolder
from jomed_app.batch.reading import CaseTaker
from jomed_app.batch.run import BatchDone, run_batch
from jomed_app.batch.settings import BatchSettings
from jomed_app.batch.workers import Work
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.ui.conftest import REPOSITORY

NUM_IMAGES = 5
KINDS = ("png", "csv")


class Batch:
    """A folder of images, read here by the tiny engine or by a process of its own."""

    def __init__(self, folder: Path, bundle: Path, index: Path, engine) -> None:
        self.folder, self.images, self.engine = folder, folder / "images", engine
        self.place = ["--bundle", str(bundle), "--index", str(index), "--precision", "fp32"]
        (self.images / "ward").mkdir(parents=True)
        for number in range(NUM_IMAGES):
            data = simulated_png(FIRST_FRESH_SEED + number)
            (self.images / "ward" / f"DOE_JOHN_{number}.png").write_bytes(data)
        shutil.copy(self.images / "ward" / "DOE_JOHN_0.png", self.images / "copy.png")
        (self.images / "notes.txt").write_text("DOE JOHN, born 1950", encoding="utf-8")

    def read(self, out: str) -> BatchDone:
        """Read in this process."""
        place, settings = self.folder / out, BatchSettings()
        engine = self.engine

        class Here(Work):
            def taker(self) -> CaseTaker:
                return CaseTaker(engine, settings, KINDS, BatchFolder(place))

        work = Here(Path(), Path(), "fp32", settings, KINDS, place)
        return run_batch(
            [self.images],
            work,
            workers=1,
            keeps_names=False,
            on_progress=lambda *_, **__: None,
            on_leaving=lambda _: None,
        )

    def start(self, out: str, *words: str) -> subprocess.Popen[str]:
        """Start the command."""
        environment = {
            "JOMED_LOG_DIR": str(self.folder / "log"), "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "jomed_app", "diagnose", str(self.images), "--out",
             str(self.folder / out), "--export", ",".join(KINDS), *self.place, *words],
            cwd=self.folder, env=os.environ | environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def kill_in_between(self, out: str, *words: str) -> dict[str, bytes]:
        """Kill the command once a case is there; all that it started must end, too."""
        process = self.start(out, *words)
        started = time.monotonic()
        while not self.cases(out) and process.poll() is None:
            assert time.monotonic() - started < 300
            time.sleep(0.005)
        below = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        gone, alive = psutil.wait_procs(below, timeout=60)
        assert alive == [], "workers and decoders end with the process that started them"
        assert gone
        return self.cases(out)

    def cases(self, out: str) -> dict[str, bytes]:
        found = (self.folder / out / "cases").glob("[!.]*.json")
        return {path.name: path.read_bytes() for path in found if ".error." not in path.name}

    def tables(self, out: str) -> tuple[bytes, bytes]:
        place = self.folder / out
        return (place / "results.csv").read_bytes(), (place / "results.parquet").read_bytes()


@pytest.fixture(scope="module")
def batch(tmp_path_factory, tiny_bundle, tiny_index, tiny_engine) -> Batch:
    return Batch(tmp_path_factory.mktemp("batch"), tiny_bundle, tiny_index, tiny_engine)


@pytest.fixture(scope="module")
def whole(batch) -> BatchDone:
    """Read without a disturbance."""
    return batch.read("whole")


def test_every_content_is_a_row_and_what_fails_is_a_sentence(batch, whole):
    rows = pq.read_table(batch.folder / "whole" / "results.parquet").to_pylist()
    assert len(rows) == NUM_IMAGES + 1
    (failed,) = [row for row in rows if row["error"] is not None]
    assert "found another format" in failed["error"]
    assert sorted(row["copies"] for row in rows) == [1] * NUM_IMAGES + [2]
    assert len(list((batch.folder / "whole" / "exports").iterdir())) == 2 * NUM_IMAGES
    counted = (whole.num_files, whole.num_done_before, whole.num_failed, whole.num_rows)
    assert counted == (NUM_IMAGES + 2, 0, 1, NUM_IMAGES + 1)


def test_no_name_of_a_file_is_left(batch, whole):
    for path in (batch.folder / "whole").rglob("*"):
        assert "DOE" not in path.name
        if path.is_file():
            assert b"DOE" not in path.read_bytes(), path.name
            assert b"ward/" not in path.read_bytes(), path.name


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(batch, whole):
    kept = batch.kill_in_between("killed")
    assert kept
    done = batch.read("killed")
    assert done.num_done_before >= len(kept)
    assert batch.tables("killed") == batch.tables("whole")
    again = batch.cases("killed")
    assert {name: again[name] for name in kept} == kept
    assert not list((batch.folder / "killed").rglob(f".{next(iter(kept))}*")), "nothing half"


@pytest.mark.slow
def test_two_workers_are_killed_go_on_and_give_the_same_tables(batch, whole):
    assert batch.kill_in_between("two", "--workers", "2")
    second = batch.start("two", "--workers", "2")
    said, wrong = second.communicate(timeout=600)
    assert second.returncode == 0, wrong
    assert f"{NUM_IMAGES + 2} files, " in said
    assert f"{NUM_IMAGES + 1} rows in results.csv and results.parquet, 1 of them" in said
    assert batch.tables("two") == batch.tables("whole")


def test_again_reads_nothing_and_changes_nothing(batch, whole):
    before = batch.tables("whole")
    done = batch.read("whole")
    assert done.num_done_before == done.num_files == NUM_IMAGES + 2
    assert batch.tables("whole") == before


def test_a_saved_case_is_of_the_picture_it_names(batch, whole):
    kept = json.loads(next(iter(batch.cases("whole").values())))
    assert kept["schema"] == "jomed.saved/1"
    assert kept["bundle_sha256"].startswith(kept["result"]["versions"]["bundle"].split("(")[1][:8])
    assert kept["result"]["versions"]["schema"] == "jomed.result/4"
