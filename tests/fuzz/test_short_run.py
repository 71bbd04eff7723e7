"""A few hundred damaged files in every run of the suite; `make fuzz` tries as many as you like."""

import dataclasses
import random

import pytest

from benchmarks.reliability.records import keep, load
from jomed_app.imaging import read_image
from tests.fuzz import judge, run
from tests.fuzz.corpus import PLANTED, bombs, corpus
from tests.fuzz.judge import Verdicts
from tests.fuzz.mutations import mutate

FILES = corpus()


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch):
    """The process of a whole suite held much before the first file."""
    peak, before = judge.peak_memory, judge.peak_memory()
    monkeypatch.setattr(judge, "peak_memory", lambda: peak() - before)


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_corpus_is_read(name):
    assert read_image(FILES[name]).info.rows >= 8


def test_damaged_files_are_refused_in_words():
    verdicts, files = Verdicts(), list(FILES.values())
    for number in range(500):
        verdicts.judge(f"input {number}", mutate(random.Random(f"suite/{number}"), files))
    assert verdicts.inputs == verdicts.answered + verdicts.refused == 500
    assert min(verdicts.answered, verdicts.refused) > 50
    assert (verdicts.num_faults, verdicts.faults) == (0, [])


def test_bombs_are_taken_cheaply():
    verdicts = Verdicts()
    for name, data in bombs():
        verdicts.judge(name, data)
    assert (verdicts.num_faults, verdicts.faults) == (0, [])


def test_a_seed_gives_the_same_files():
    files = list(FILES.values())
    first, again, other = (mutate(random.Random(seed), files) for seed in ("0/7", "0/7", "1/7"))
    assert first == again != other


# The judge itself must be able to find a fault.


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        (KeyError("x"), "untyped"),
        (judge.JomedError(f"found {PLANTED.upper()}"), "leaks"),
    ],
)
def test_a_fault_is_counted(monkeypatch, fault, count):
    def fail(_data):
        raise fault

    monkeypatch.setattr(judge, "read_image", fail)
    verdicts = Verdicts()
    verdicts.judge("input 3", b"")
    assert (getattr(verdicts, count), verdicts.num_faults) == (1, 1)
    assert verdicts.faults[0].startswith("input 3: ")


def test_time_and_memory_are_counted(monkeypatch):
    monkeypatch.setattr(judge, "HANG_S", -1.0)
    monkeypatch.setattr(judge, "MOST_BYTES", 1)
    monkeypatch.setattr(judge, "peak_memory", lambda: 2)
    verdicts = Verdicts()
    verdicts.judge("input 3", FILES["png"])
    assert (verdicts.hangs, verdicts.over_memory) == (1, 1)


def test_a_run_reports_what_it_did(monkeypatch, tmp_path):
    told = Verdicts(inputs=3, answered=1, refused=2, slowest_s=0.5, peak_bytes=9)
    monkeypatch.setattr(run, "_judged_apart", lambda *_: (dataclasses.replace(told), True))
    keep("fuzz", run.run(seed=5, seconds=-1.0), tmp_path)
    report = load(tmp_path)["fuzz"]
    assert (report["kind"], report["seed"], report["inputs"]) == ("fuzz", 5, 3)
    assert set(report) >= {"seconds", "commit", "hardware", "hangs", "untyped", "leaks"}
    assert report["peak_bytes"] == 9


def test_a_record_keeps_the_runs_before_and_takes_a_new_seed(monkeypatch, tmp_path, capsys):
    told = Verdicts(inputs=3, answered=1, refused=2)
    monkeypatch.setattr(run, "_judged_apart", lambda *_: (dataclasses.replace(told), True))
    words = ["run", "--seconds", "-1", "--out", str(tmp_path)]
    for _ in range(3):
        monkeypatch.setattr("sys.argv", words)
        assert run.main() == 0
    report = load(tmp_path)["fuzz"]
    assert [each["seed"] for each in (*report["earlier"], report)] == [0, 1, 2]
    assert not any("earlier" in each for each in report["earlier"])
    monkeypatch.setattr("sys.argv", [*words, "--seed", "1"])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    assert "a seed that the record does not hold is required, found 1" in capsys.readouterr().err


def test_a_file_that_ends_a_process_is_read_as_an_upload(monkeypatch):
    asked = []

    def ended(_seed, _files, are_bombs, place, _ends_at):
        asked.append((are_bombs, place))
        return Verdicts(inputs=1, answered=1), len(asked) > 1

    monkeypatch.setattr(run, "_judged_apart", ended)
    monkeypatch.setattr(run, "_read_as_an_upload", lambda *_: Verdicts(inputs=1, ended=1))
    report = run.run(seed=5, seconds=-1.0)
    assert asked == [(True, 0), (True, 2)]
    assert (report["inputs"], report["ended"]) == (3, 1)
