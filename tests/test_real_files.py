"""Every public DICOM test file, and a few real ultrasounds, through `diagnose --json`.

Slow: some 280 files. The engine is loaded once; everything else is the command as users run it.
"""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path

import pytest

from jomed_app.cli import main as cli
from jomed_app.types import Result

MOST_SECONDS = 20.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (cli.DEFAULT_BUNDLE / "manifest.json").is_file(), reason="no bundle in assets/bundle"
    ),
]


@pytest.fixture(autouse=True)
def _one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from jomed_app.inference import load

    monkeypatch.setattr(load, "load_engine", _engine_once())


@functools.cache
def _engine_once():
    from jomed_app.inference.load import load_engine

    return functools.cache(load_engine)


def _diagnose(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str, float]:
    start = time.perf_counter()
    code = cli.main(["diagnose", str(path), "--json"])
    seconds = time.perf_counter() - start
    out, err = capsys.readouterr()
    return code, out, err, seconds


def _check(paths: list[Path], capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    counts = {"answered": 0, "abstained": 0, "refused": 0}
    for path in paths:
        code, out, err, seconds = _diagnose(path, capsys)
        assert code in (0, 2), f"{path.name}: exit code {code}: {err}"
        assert seconds < MOST_SECONDS, f"{path.name}: {seconds:.1f} s"
        if code == 2:
            assert out == "", path.name
            assert len(err.strip().splitlines()) == 1, f"{path.name}: {err}"
            counts["refused"] += 1
            continue
        assert err.strip() == "", f"{path.name}: {err}"
        result = Result.model_validate(json.loads(out))
        assert result.versions.schema_ == "jomed.result/4"
        if result.final.abstained:
            assert result.final.reason
            counts["abstained"] += 1
        else:
            assert abs(sum(result.final.probabilities.values()) - 1) < 1e-6
            counts["answered"] += 1
    return counts


def test_every_file_of_pydicom(
    capsys: pytest.CaptureFixture[str], record_property: pytest.RecordProperty
) -> None:
    from pydicom.data import get_testdata_file

    folder = Path(str(get_testdata_file("CT_small.dcm"))).parent.parent
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py")
    counts = _check(paths, capsys)
    record_property("counts", counts)
    assert sum(counts.values()) == len(paths) > 90


def test_every_file_of_pydicom_data(
    capsys: pytest.CaptureFixture[str], record_property: pytest.RecordProperty
) -> None:
    package = pytest.importorskip("data_store", reason="the package pydicom-data is not installed")
    folder = Path(package.__file__).parent
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    )
    counts = _check(paths, capsys)
    record_property("counts", counts)
    assert sum(counts.values()) == len(paths) > 60


def test_real_ultrasounds_are_answered(
    real_data: Path, capsys: pytest.CaptureFixture[str], record_property: pytest.RecordProperty
) -> None:
    images = sorted((real_data / "breastmnist_busi" / "images").rglob("*.jpg"))[::62][:10]
    counts = _check(images, capsys)
    record_property("counts", counts)
    assert counts["refused"] == 0
    assert counts["answered"] >= 8
