from __future__ import annotations

import numpy as np
import pytest

from jomed_app.data.tasks import load_task
from jomed_app.evaluation.case_reading import Candidates, read_case
from jomed_app.evaluation.systems import ScoringSettings
from jomed_app.inference.calibration.probabilities import Scaling
from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.simulator import simulate_case
from tests.tiny_models import build_tiny_reader

PLAIN = ScoringSettings()


def logs(*rows):
    return np.log(np.array(rows, dtype=np.float64))


def indexes(*values):
    return np.array(values, dtype=np.intp)


@pytest.fixture(scope="module")
def read():
    """A tiny reader, one query and six candidates."""
    task = load_task("breast")
    reader = CaseReader(build_tiny_reader(3, task.answer_words), task)
    images = [simulate_case(seed, size_px=96).image for seed in range(7)]
    size = images[0].shape
    squares = [
        letterbox(np.repeat(each[..., None], 3, axis=-1), reader.reader.image_size)
        for each in images
    ]
    query, *others = reader.reader.encode_pixels(to_pixel_values(squares))
    inputs = [reader.candidate(each, "benign", "A mass.") for each in others]
    near = Candidates(inputs[:2], indexes(1, 1), np.array([1.0, 0.9]), np.array([False, True]))
    drawn = Candidates(inputs[2:4], indexes(0, 2), np.ones(2), np.zeros(2, dtype=bool))
    other = Candidates(inputs[4:], indexes(2, 2), np.ones(2), np.zeros(2, dtype=bool))

    def run(settings=PLAIN, asks_box=True, adversarial=None):
        backbone = logs((0.2, 0.3, 0.5))[0]
        nearest = indexes(1, 1, 0), np.array([0.7, 0.6, 0.5])
        return read_case(
            reader, query, near, drawn, nearest, backbone, settings,
            size=size, asks_box=asks_box, adversarial=adversarial,
        )  # fmt: skip

    return reader, query, near, drawn, other, size, run


def test_a_case_is_read_beside_each_kind_of_candidate(read):
    reader, query, near, drawn, _, _, run = read
    raw = run()
    case = reader.read(query, reader.task.question, near.inputs)
    np.testing.assert_allclose(raw.retrieved, case.log_prob, atol=1e-4)
    np.testing.assert_allclose(raw.plain, case.plain_log_prob, atol=1e-4)
    apart = reader.read(query, reader.task.question, drawn.inputs)
    np.testing.assert_allclose(raw.drawn, apart.log_prob, atol=1e-4)
    assert raw.seconds > 0
    assert raw.neighbor_labels.tolist() == [1, 1, 0]
    assert raw.neighbor_scores.tolist() == [0.7, 0.6, 0.5]


def test_the_box_belongs_to_the_answer_of_the_retrieved_candidates(read):
    *_, (rows, columns), run = read
    (box,) = run(ScoringSettings(scaling=Scaling(bias=(0.0, 50.0, 0.0)))).boxes
    assert 0 <= box.x0 < box.x1 <= columns
    assert 0 <= box.y0 < box.y1 <= rows
    assert run(ScoringSettings(scaling=Scaling(bias=(50.0, 0.0, 0.0)))).boxes == ()


def test_the_reader_is_not_asked_for_a_box_unless_told(read):
    *_, run = read
    raw = run(asks_box=False)
    assert (raw.boxes, raw.located, raw.class_prob, raw.heat_peak) == (None, (), (), None)


def test_adversarial_candidates_change_nothing_else(read):
    reader, query, _, _, other, _, run = read
    plain, misled = run(), run(adversarial=other)
    case = reader.read(query, reader.task.question, other.inputs)
    np.testing.assert_array_equal(misled.adversarial, case.log_prob)
    assert misled.adversarial_labels.tolist() == [2, 2]
    assert (plain.adversarial, plain.adversarial_labels.tolist()) == (None, [])
    for name in ("retrieved", "drawn", "plain", "boxes"):
        np.testing.assert_array_equal(getattr(misled, name), getattr(plain, name))
