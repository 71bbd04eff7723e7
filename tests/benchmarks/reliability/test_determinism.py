"""The command counts what differs."""

from __future__ import annotations

import json

import pytest

from benchmarks.reliability import determinism
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png


def asked(tiny_bundle, tiny_index, folder, times, processes):
    (folder / "image.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    words = ["--image", str(folder / "image.png"), "--bundle", str(tiny_bundle)]
    words += ["--index", str(tiny_index), "--times", str(times), "--processes", str(processes)]
    code = determinism.main([*words, "--out", str(folder)])
    return code, json.loads((folder / "determinism.json").read_text(encoding="utf-8"))


def test_the_same_bytes_get_the_same_answer_in_two_processes(tiny_bundle, tiny_index, tmp_path):
    code, values = asked(tiny_bundle, tiny_index, tmp_path, times=5, processes=2)
    assert code == 0
    assert (values["kind"], values["answers"], values["different"]) == ("determinism", 5, 0)
    assert values["versions"]["number_type"] in ("fp32", "bf16")


class Ran:
    def __init__(self, value):
        self.value = value

    def result(self):
        return self.value


class Pool:
    """Runs nothing: the answers of its processes are given, one of them another one."""

    def __init__(self, processes, mp_context):
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, chosen, times):
        self.asked += 1
        return Ran((["same"] * times if self.asked < 3 else ["other"] * times, (self.asked, {})))


def test_an_answer_that_differs_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(determinism, "ProcessPoolExecutor", Pool)
    code = determinism.main(["--times", "7", "--processes", "3", "--out", str(tmp_path)])
    values = json.loads((tmp_path / "determinism.json").read_text(encoding="utf-8"))
    assert (code, values["answers"], values["processes"], values["different"]) == (1, 7, 3, 1)


@pytest.mark.slow
def test_a_hundred_answers_of_the_released_bundle_are_one(tmp_path):
    assert determinism.main(["--out", str(tmp_path)]) == 0
