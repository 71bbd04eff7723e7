"""Pictures of a report: the ending decides the format, all systems are drawn."""

from __future__ import annotations

import re

import pytest

from jomed_app.evaluation.report.build import build_report
from jomed_app.evaluation.report.pages.pictures import (
    draw_accuracy,
    draw_coverage,
    draw_reliability,
    draw_states,
)
from tests.evaluation.report.synthetic_scores import LABELS, make_cases

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


def test_coverage_names_its_systems_with_their_area(report, tmp_path) -> None:
    assert draw_coverage(report, tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text()
    for name in ("knn", "rag", "joint"):
        assert f"{name}, AURC {report.systems[name].aurc:.3f}" in text
    assert "backbone" not in text, "it was not scored"
    assert "n = 30" in text


def test_states_are_drawn_in_order_with_their_cases(report, tmp_path) -> None:
    assert draw_states(report, tmp_path / "plot.svg")
    words = re.findall(r">([^<>]+)</text>", (tmp_path / "plot.svg").read_text())
    assert [word for word in words if word in ("consistent", "mixed", "disagree")] == [
        "consistent", "mixed", "disagree"
    ]  # fmt: skip
    counted = [
        str(rate.num_cases)
        for name in ("rag", "joint")
        for _, rate in sorted(report.systems[name].error_rates.items())
    ]
    assert sorted(word for word in words if word.isdigit()) == sorted(counted)
    assert "knn" not in words


def test_what_a_report_does_not_hold_is_not_drawn(report, tmp_path) -> None:
    old = {
        name: system.model_copy(update={"coverage": None, "aurc": None, "error_rates": {}})
        for name, system in report.systems.items()
    }
    bare = report.model_copy(update={"systems": old})
    assert not draw_coverage(bare, tmp_path / "plot.svg")
    assert not draw_states(bare, tmp_path / "plot.svg")
    assert not (tmp_path / "plot.svg").exists()
