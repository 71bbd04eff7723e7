from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.boxes import Box
from jomed_app.data.tasks import load_task, task_from_dict
from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.localizer.detection import WINDOW_BINS, peak_expectation
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.simulator import simulate_case
from tests.tiny_models import build_tiny_reader

TASK = load_task("breast")
QUESTION = TASK.question


@pytest.fixture(scope="module")
def reader():
    return CaseReader(build_tiny_reader(3, TASK.answer_words), TASK)


@pytest.fixture(scope="module")
def encodings(reader):
    images = [simulate_case(seed, size_px=96).image for seed in range(4)]
    squares = [
        letterbox(np.repeat(each[..., None], 3, axis=-1), reader.reader.image_size)
        for each in images
    ]
    return reader.reader.encode_pixels(to_pixel_values(squares))


@pytest.fixture(scope="module")
def candidates(reader, encodings):
    texts = [("benign", "An oval mass."), ("malignant", "A mass."), ("normal", "")]
    return [reader.reader.candidate(e, *text) for e, text in zip(encodings[1:], texts, strict=True)]


def test_every_row_is_normalized_over_the_labels(reader, encodings, candidates):
    case = reader.read(encodings[0], QUESTION, candidates)
    assert case.log_prob.shape == case.log_likelihood.shape == (3, 3)
    np.testing.assert_allclose(np.exp(case.log_prob).sum(-1), 1.0)
    assert np.exp(case.alone_log_prob).sum() == pytest.approx(1.0)
    assert (case.log_likelihood <= case.log_prob + 1e-9).all(), "all texts share a mass of one"


def test_a_candidate_is_read_the_same_alone_and_among_others(reader, encodings, candidates):
    together = reader.read(encodings[0], QUESTION, candidates)
    alone = reader.read(encodings[0], QUESTION, candidates[1:2])
    np.testing.assert_allclose(alone.log_likelihood[0], together.log_likelihood[1], atol=1e-4)
    np.testing.assert_allclose(alone.alone_log_prob, together.alone_log_prob, atol=1e-4)


def test_the_order_of_candidates_does_not_matter(reader, encodings, candidates):
    forward = reader.read(encodings[0], QUESTION, candidates)
    backward = reader.read(encodings[0], QUESTION, candidates[::-1])
    np.testing.assert_allclose(backward.log_prob[::-1], forward.log_prob, atol=1e-4)


def test_query_candidate_and_question_all_matter(reader, encodings, candidates):
    base = reader.read(encodings[0], QUESTION, candidates).log_likelihood
    for other in (
        reader.read(encodings[3], QUESTION, candidates),
        reader.read(encodings[0], "Is it a cyst?", candidates),
        reader.read(encodings[0], QUESTION, [*candidates[1:], candidates[0]]),
    ):
        assert np.abs(other.log_likelihood - base).max() > 1e-3


@pytest.mark.parametrize("label", [1, 2])
def test_a_description_has_a_box_on_the_unit_square_and_whole_descriptors(
    reader, encodings, candidates, label
):
    case = reader.read(encodings[0], QUESTION, candidates)
    description = reader.describe(case, np.array([0.5, 0.2, 0.1, 0.2]), label)
    assert description.box is not None
    x0, y0, x1, y1 = description.box.as_tuple()
    assert 0 <= x0 < x1 <= 1
    assert 0 <= y0 < y1 <= 1
    assert 0 < description.confidence <= 1 + 1e-6
    assert list(description.findings) == list(TASK.descriptors)
    for name, values in description.findings.items():
        assert tuple(values) == TASK.descriptors[name]
        assert sum(values.values()) == pytest.approx(1.0, abs=1e-5)


def test_a_label_without_a_finding_is_not_described(reader, encodings, candidates):
    case = reader.read(encodings[0], QUESTION, candidates)
    description = reader.describe(case, np.full(4, 0.25), TASK.labels.index("normal"))
    assert (description.box, description.confidence, description.findings) == (None, 0.0, {})


def test_a_box_from_elsewhere_is_kept_and_read_on_from(reader, encodings, candidates):
    """It stands in the answer as if the reader had said it."""
    weights = np.array([0.5, 0.2, 0.1, 0.2])

    def described(box):
        case = reader.read(encodings[0], QUESTION, candidates)
        return reader.describe(case, weights, 1, box=box)

    box, other = Box(0.1, 0.2, 0.4, 0.5), Box(0.6, 0.5, 0.9, 0.95)
    here, there = described(box), described(other)
    assert (here.box, here.confidence) == (box, 1.0)
    assert there.box == other
    assert here.findings != there.findings
    own = described(None)
    said = described(own.box)
    for name, values in own.findings.items():
        assert said.findings[name] == pytest.approx(values, rel=0.02, abs=1e-6), name


def test_a_description_follows_the_row_that_has_all_the_weight(reader, encodings, candidates):
    def described(count, weights):
        case = reader.read(encodings[0], QUESTION, candidates[:count])
        return reader.describe(case, np.array(weights), 1)

    among, alone = described(3, [1.0, 0.0, 0.0, 0.0]), described(1, [1.0, 0.0])
    np.testing.assert_allclose(among.box.as_tuple(), alone.box.as_tuple(), atol=1e-3)
    assert among.findings["shape"] == pytest.approx(alone.findings["shape"], abs=1e-3)


@pytest.mark.parametrize(
    "words",
    [TASK.answer_words, (), [values[0] for values in TASK.descriptors.values()]],
    ids=["one token a word", "many tokens a word", "first values only"],
)
def test_a_draft_saves_passes_and_never_changes_the_answer(encodings, words):
    reader = CaseReader(build_tiny_reader(3, words), TASK)
    inputs = [reader.reader.candidate(encodings[1], "benign", "A mass.")]

    def described(draft):
        case = reader.read(encodings[0], QUESTION, inputs)
        return reader.describe(case, np.array([0.8, 0.2]), 1, draft=draft)

    plain = described(None)
    likeliest = {name: max(p, key=p.get) for name, p in plain.findings.items()}
    wrong = {name: min(p, key=p.get) for name, p in plain.findings.items()}
    half = dict(list(likeliest.items())[:3]) | dict(list(wrong.items())[3:])
    case = reader.read(encodings[0], QUESTION, inputs)
    expected = one_by_one(reader, case, plain.box, torch.tensor([0.8, 0.2]))
    for draft in (None, likeliest, wrong, half, {"shape": "no such value"}):
        other = described(draft)
        assert other.box == plain.box
        assert list(other.findings) == list(TASK.descriptors)
        for name, values in expected.items():
            assert other.findings[name] == pytest.approx(values, rel=0.01, abs=1e-30), (name, draft)


def one_by_one(reader, case, box, shares):
    """Every descriptor read on its own, after the likeliest value of the one before."""
    tokens = reader.reader
    reading = tokens.extend(case.reading, tokens.prompts.answer(" benign"))
    edges = []
    for place in range(4):
        rows = reading.next_log_prob[:, tokens.location_ids].softmax(-1)
        marginal = (shares[:, None] * rows).sum(0)
        if place >= 2:
            marginal[: min(int(edges[place - 2] * len(marginal)) + 1, len(marginal) - 1)] = 0.0
        value, peak, _ = peak_expectation(marginal, WINDOW_BINS)
        edges.append(value)
        reading = tokens.extend(reading, [int(tokens.location_ids[peak])])
    assert edges[:2] == pytest.approx([box.x0, box.y0], abs=1e-5)
    findings = {}
    for name, values in TASK.descriptors.items():
        options = [tokens.prompts.answer(f" {value}") for value in values]
        rows = tokens.score_answers(reading, options).softmax(-1)
        marginal = (shares[:, None] * rows).sum(0)
        findings[name] = dict(zip(values, marginal.tolist(), strict=True))
        reading = tokens.extend(reading, options[int(marginal.argmax())])
    return findings


def test_a_task_without_boxes_is_described_without_one(encodings, candidates, reader):
    values = TASK.model_dump(mode="json")
    task = task_from_dict({**values, "has_boxes": False, "descriptors": {}, "report": None})
    plain = CaseReader(reader.reader, task)
    said = plain.describe(plain.read(encodings[0], QUESTION, candidates), np.full(4, 0.25), 1)
    assert (said.box, said.confidence, said.findings) == (None, 0.0, {})
    described = CaseReader(reader.reader, task_from_dict({**values, "has_boxes": False}))
    said = described.describe(
        described.read(encodings[0], QUESTION, candidates), np.full(4, 0.25), 1
    )
    assert said.box is None
    assert list(said.findings) == list(TASK.descriptors)
