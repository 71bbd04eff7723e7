"""Pictures of a report: the ending decides the format, all systems are drawn."""

from __future__ import annotations

import pytest

from jomed_app.evaluation.plots import draw_accuracy, draw_reliability
from jomed_app.evaluation.report import build_report
from tests.evaluation.synthetic_scores import LABELS, make_cases

pytest.importorskip("matplotlib", reason="plots need the development tools")


@pytest.fixture(scope="module")
def report():
    return build_report(
        make_cases(30),
        task="breast",
        split="val",
        labels=LABELS,
        positive_label="malignant",
        bundle="b",
        index="i",
        num_resamples=10,
    )


@pytest.mark.parametrize("draw", [draw_accuracy, draw_reliability])
def test_svg_names_every_system(draw, report, tmp_path) -> None:
    draw(report, tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text()
    assert all(name in text for name in report.systems)
    assert "<dc:date>" not in text


def test_ending_png_gives_a_png(report, tmp_path) -> None:
    draw_accuracy(report, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
