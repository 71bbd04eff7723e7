"""The comparison with a real set and the description in the docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.experiments.simulator import compare as compare_simulator
from benchmarks.experiments.simulator import describe as describe_simulator
from benchmarks.kept import KeptReports
from jomed_app.boxes import Box
from jomed_app.simulator import write_cases
from tests.markdown_tables import unpadded

ROOT = Path(__file__).resolve().parents[3]


def test_without_the_real_set_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    assert compare_simulator.main([str(tmp_path / "absent"), "--results", str(out)]) == 0
    assert "The real set is not here" in capsys.readouterr().out
    assert not out.exists()


def test_a_set_compared_with_itself_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated cases stand in for the real set; both sides then have like distributions."""
    monkeypatch.setattr(compare_simulator, "SIZE_PX", 160)
    folder = tmp_path / "stand_in"
    records = write_cases(8, folder, seed=0, size_px=160, workers=1)
    rows = [
        {"image": r.image, "busi_class": r.label, "boxes": [list(box) for box in r.boxes]}
        for r in records
    ]
    pd.DataFrame(rows).to_parquet(folder / "stand_in.parquet")
    out = tmp_path / "results"
    assert compare_simulator.main([str(folder), "--count", "8", "--results", str(out)]) == 0
    report = KeptReports(out).load("simulator")
    assert report["histogram_distance_grey_levels"] == 0
    assert report["box_auc"]["real"] == report["box_auc"]["simulated"]
    assert all(row["distance_in_real_sd"] == 0 for row in report["rows"].values())
    assert "| lesion width / image width, malignant |" in unpadded(
        (out / "simulator.md").read_text()
    )


def test_contrast_and_posterior_brightness_by_hand() -> None:
    image = np.full((100, 100), 80, dtype=np.float32)
    image[30:50, 40:60] = 20
    image[50:, 40:60] = 130
    found = compare_simulator._lesion(image, Box(40, 30, 60, 50))
    assert found["contrast"] == -60
    assert found["behind"] == 50
    assert found["width_fraction"] == pytest.approx(0.2)


def test_half_width_by_hand() -> None:
    assert compare_simulator._half_width(np.array([1.0, 0.8, 0.4, 0.1])) == pytest.approx(1.75)


def test_box_auc_by_hand() -> None:
    """Width tells the labels apart in one set; nothing does in the other."""
    names = ("width_fraction", "height_to_width", "depth_fraction")
    noise = list(np.random.default_rng(0).random(20))
    values = {f"{name}_{label}": noise for name in names for label in ("benign", "malignant")}
    assert compare_simulator._box_auc(values) == pytest.approx(0.5, abs=0.2)
    values["width_fraction_malignant"] = [value + 5 for value in noise]
    assert compare_simulator._box_auc(values) == 1
    assert compare_simulator._box_auc({name: noise[:4] for name in values}) is None


def test_docs_hold_the_current_tables() -> None:
    page = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
    assert describe_simulator.tables() in page
