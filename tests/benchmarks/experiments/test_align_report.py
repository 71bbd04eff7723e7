"""The alignment report: means, paired differences and the verdict, from drawn hits."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.experiments.align.report import SHOWN, draw, page, summarize_folder
from tests.markdown_tables import unpadded


@pytest.fixture
def runs(tmp_path):
    """Two losses at one share, two seeds; the second loss is right a fifth more often."""
    folder = tmp_path / "runs"
    folder.mkdir()
    for seed in range(2):
        rng = np.random.default_rng(seed)
        chance = {name: rng.random(200) for name in SHOWN}
        for row, rate in (("infonce", 0.5), ("graph", 0.7)):
            values = {
                "row": row,
                "fraction": 0.1,
                "seed": seed,
                "steps": 10,
                "seconds": 1.0,
                "triples": 40,
                "hits": {
                    name: (drawn < rate).astype(int).tolist() for name, drawn in chance.items()
                },
            }
            (folder / f"{row}-0.1-{seed}.json").write_text(json.dumps(values))
    cost = {"last 64": {"infonce linearization": {"step_ms": 10.0, "ratio": 1.0}}}
    (folder / "timing.json").write_text(json.dumps(cost))
    return folder


def test_the_page_says_what_the_hits_say(runs, tmp_path):
    values = json.loads(json.dumps(summarize_folder(runs)))
    text = unpadded(page(values, "Measured."))
    infonce, graph = (
        next(each for each in values["rows"] if each["row"] == name)
        for name in ("infonce", "graph")
    )
    assert infonce["mean"] == pytest.approx(0.5, abs=0.03)
    point, low, high = graph["difference"]["mean"]
    assert point == pytest.approx(graph["mean"] - infonce["mean"])
    assert 0 < low < point < high
    assert "do not edit. Measured. Figures" in text
    assert "`graph` is ahead of `infonce`" in text
    assert "| infonce linearization | 10 ms (1.00 x) |" in text
    draw(values, tmp_path)
    assert (tmp_path / "align.svg").read_text().lstrip().startswith("<?xml")


def test_a_difference_that_may_be_chance_is_called_level(runs):
    for path in runs.glob("graph-*.json"):
        values = json.loads(path.read_text())
        other = json.loads((runs / path.name.replace("graph", "infonce")).read_text())
        values["hits"] = {name: each[::-1] for name, each in other["hits"].items()}
        path.write_text(json.dumps(values))
    assert "`graph` is level with `infonce`" in page(summarize_folder(runs), "")


def test_a_report_of_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="a report requires runs, found none in"):
        summarize_folder(tmp_path)
