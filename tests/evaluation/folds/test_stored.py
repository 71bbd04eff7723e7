"""Readings kept in a file: they come back as they were, and older files can be read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from jomed_app.evaluation.folds.stored import load_cases, save_cases
from jomed_app.evaluation.systems import conclude_systems
from jomed_app.inference.calibration.profile import Profile, Settings
from tests.evaluation.folds.drawn_readings import draw_readings

PROFILE = Profile(settings=Settings(vote_share=0.3, image_share=0.2, text_offset=-1.0))


@pytest.fixture
def kept(tmp_path):
    cases = dict(enumerate(draw_readings(6)[0]))
    save_cases(tmp_path / "cv" / "raw.json", cases)
    return tmp_path / "cv" / "raw.json", cases


def rewrite(path, *absent):
    stored = json.loads(path.read_text())
    for case in stored.values():
        for name in absent:
            del case[name]
    path.write_text(json.dumps(stored))


def test_readings_are_kept_as_plain_numbers(kept):
    path, cases = kept
    stored = json.loads(path.read_text())
    assert list(stored) == [str(place) for place in range(6)]
    np.testing.assert_array_equal(stored["1"]["retrieved"], cases[1].evidence.candidates)
    assert stored["1"]["boxes"] == [list(cases[1].boxes[0].as_tuple())]
    assert stored["0"]["boxes"] == []


def test_what_is_read_back_is_concluded_alike(kept):
    path, cases = kept
    again = load_cases(path)
    assert again.keys() == cases.keys()
    for row, case in cases.items():
        first, second = (conclude_systems(each, PROFILE) for each in (case, again[row]))
        assert first.keys() == second.keys()
        for name in first:
            np.testing.assert_array_equal(first[name].probabilities, second[name].probabilities)
        assert again[row].located == case.located
        assert (again[row].boxes, again[row].candidate_ids) == (case.boxes, case.candidate_ids)


def test_a_file_from_before_the_localizer_said_more_can_be_read(kept):
    path, cases = kept
    rewrite(path, "dense", "class_prob", "heat_peak")
    old = load_cases(path)[1]
    assert (old.located.dense, old.evidence.image, old.located.heat_peak) == (0.0, None, None)
    assert old.located.presence == cases[1].located.presence


def test_a_file_from_before_adversarial_candidates_can_be_read(kept, tmp_path):
    path, _ = kept
    rewrite(path, "adversarial", "adversarial_labels", "candidates")
    old = load_cases(path)
    assert old[1].adversarial is None
    assert old[1].adversarial_labels.size == 0
    assert old[1].candidate_ids == ()
    save_cases(tmp_path / "again.json", old)
    assert load_cases(tmp_path / "again.json")[1].adversarial is None
