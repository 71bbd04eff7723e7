from __future__ import annotations

import dataclasses
import json

import numpy as np

from jomed_app.evaluation.folds.stored import load_raw, save_raw
from tests.evaluation.folds.drawn_readings import draw_readings


def test_readings_are_kept_as_plain_numbers(tmp_path):
    raw = dict(enumerate(draw_readings(6)[0]))
    save_raw(tmp_path / "cv" / "raw.json", raw)
    stored = json.loads((tmp_path / "cv" / "raw.json").read_text())
    assert list(stored) == [str(place) for place in range(6)]
    np.testing.assert_array_equal(stored["1"]["retrieved"], raw[1].retrieved)
    assert stored["1"]["boxes"] == [list(raw[1].boxes[0].as_tuple())]
    assert stored["0"]["boxes"] == []
    again = load_raw(tmp_path / "cv" / "raw.json")
    assert again.keys() == raw.keys()
    for row, case in raw.items():
        for field in dataclasses.fields(case):
            np.testing.assert_array_equal(
                getattr(again[row], field.name), getattr(case, field.name)
            )


def test_a_file_from_before_the_localizer_said_more_can_be_read(tmp_path):
    raw = dict(enumerate(draw_readings(2)[0]))
    save_raw(tmp_path / "raw.json", raw)
    stored = json.loads((tmp_path / "raw.json").read_text())
    for case in stored.values():
        for name in ("dense", "class_prob", "heat_peak"):
            del case[name]
    (tmp_path / "raw.json").write_text(json.dumps(stored))
    old = load_raw(tmp_path / "raw.json")[1]
    assert (old.dense, old.class_prob, old.heat_peak) == (0.0, (), None)
    assert old.presence == raw[1].presence


def test_a_file_from_before_adversarial_candidates_can_be_read(tmp_path):
    raw = dict(enumerate(draw_readings(2)[0]))
    save_raw(tmp_path / "raw.json", raw)
    stored = json.loads((tmp_path / "raw.json").read_text())
    for case in stored.values():
        del case["adversarial"], case["adversarial_labels"]
    (tmp_path / "raw.json").write_text(json.dumps(stored))
    old = load_raw(tmp_path / "raw.json")
    assert old[1].adversarial is None
    assert old[1].adversarial_labels.size == 0
    save_raw(tmp_path / "again.json", old)
    assert load_raw(tmp_path / "again.json")[1].adversarial is None
