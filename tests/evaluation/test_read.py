"""One case read: beside what a search finds, at random, misleading; each apart, none of its own."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import load_task
from jomed_app.evaluation.read import Answers, ask_reader, read_case, remembering
from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.pixels import letterbox, to_pixel_values
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.search import find_candidates
from jomed_app.simulator import simulate_case
from tests.tiny_models import build_tiny_reader

LABELS = ("normal", "benign", "malignant")
BACKBONE = np.log([0.2, 0.3, 0.5])


@pytest.fixture(scope="module")
def corpus():
    """Eighteen cases, labels in turn; the first two are of one group."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2, 18, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    records = [
        CaseRecord(
            case_id=f"c{place:02}", image="i", label=LABELS[place % 3], passage=f"Case {place}.",
            group="pair" if place < 2 else "", rows=8, columns=8,
        )
        for place in range(18)
    ]  # fmt: skip
    return CorpusView.of_vectors("eighteen", records, {"image": vectors[0], "text": vectors[1]})


@pytest.fixture
def vectors():
    rng = np.random.default_rng(1)
    return {head: rng.normal(size=6).astype(np.float32) for head in ("image", "text")}


@pytest.fixture
def asked():
    """A reader that says the same always, and remembers beside whom it was asked."""
    seen = []

    def ask(ids):
        seen.append(list(ids))
        return Answers(np.log(np.full((len(ids), 3), 1 / 3)), np.log(np.full(3, 1 / 3)))

    return ask, seen


def read(asked, corpus, vectors, **more):
    return read_case(asked[0], corpus, vectors, LABELS, k_per_head=2, backbone=BACKBONE, **more)


def test_the_candidates_are_those_of_the_app_s_search(asked, corpus, vectors):
    case = read(asked, corpus, vectors, exclude_groups={"pair"})
    hits = find_candidates(corpus, vectors, 2, (), {"pair"})
    assert list(case.candidate_ids) == [hit.candidate_id for hit in hits] == asked[1][0]
    np.testing.assert_allclose(case.evidence.scores, [hit.relative_score for hit in hits])
    assert case.labels.tolist() == [int(name[1:]) % 3 for name in case.candidate_ids]
    nearest = corpus.search(vectors["image"], "image", 64, (), {"pair"})
    np.testing.assert_allclose(
        case.evidence.neighbor_scores, [hit.retriever_score for hit in nearest]
    )
    assert len(nearest) == 16
    assert (case.drawn, case.adversarial) == (None, None)
    assert asked[1] == [list(case.candidate_ids)], "nothing else was read"


def test_random_candidates_depend_on_the_seed_alone(asked, corpus, vectors):
    first, again = (read(asked, corpus, vectors, seed=(0, 3)) for _ in range(2))
    other = read(asked, corpus, vectors, seed=(0, 4))
    np.testing.assert_array_equal(first.drawn_labels, again.drawn_labels)
    drawn = asked[1][1::2]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 4
    np.testing.assert_array_equal(other.evidence.scores, first.evidence.scores)


def test_random_candidates_are_never_left_out_cases(asked, corpus, vectors):
    for seed in range(20):
        read(asked, corpus, vectors, seed=seed, exclude_ids={"c05"}, exclude_groups={"pair"})
    assert not {"c00", "c01", "c05"} & {name for ids in asked[1] for name in ids}


def test_misleading_candidates_are_the_nearest_of_another_class(asked, corpus, vectors):
    case = read(asked, corpus, vectors, truth="benign")
    wanted = find_candidates(corpus, vectors, 2, exclude_labels={"benign"})
    assert asked[1][-1] == [hit.candidate_id for hit in wanted]
    assert 1 not in case.adversarial_labels
    assert case.adversarial is not None


def test_labels_of_the_corpus_alone_are_marked(asked, corpus, vectors):
    case = read(asked, corpus, vectors, new=("malignant",))
    assert case.evidence.is_new.tolist() == [False, False, True]


def test_a_reader_is_asked_the_task_s_question_beside_each():
    task = load_task("breast")
    reader = CaseReader(build_tiny_reader(3, task.answer_words), task)
    side = reader.reader.image_size
    squares = [
        letterbox(np.repeat(simulate_case(seed, size_px=96).image[..., None], 3, -1), side)
        for seed in range(3)
    ]
    query, first, second = reader.reader.encode_pixels(to_pixel_values(squares))
    inputs = {
        "a": reader.reader.candidate(first, "benign", "A mass."),
        "b": reader.reader.candidate(second, "normal", "No mass."),
    }
    said = ask_reader(reader, query, lambda ids: [inputs[each] for each in ids])(["b", "a"])
    case = reader.read(query, task.question, [inputs["b"], inputs["a"]])
    np.testing.assert_array_equal(said.log_prob, case.log_prob)
    np.testing.assert_array_equal(said.alone, case.alone_log_prob)


def test_a_candidate_that_is_found_again_is_not_read_again():
    seen = []

    def ask(ids):
        seen.append(list(ids))
        rows = [[ord(each), 0.0, 1.0] for each in ids]
        return Answers(np.reshape(rows, (len(ids), 3)), np.array([7.0, 8.0, 9.0]))

    remembered = remembering(ask)
    np.testing.assert_array_equal(remembered("ab").log_prob[:, 0], [97, 98])
    np.testing.assert_array_equal(remembered("cb").log_prob[:, 0], [99, 98])
    np.testing.assert_array_equal(remembered("ba").log_prob[:, 0], [98, 97])
    assert seen == [["a", "b"], ["c"]]
    assert remembered("").log_prob.shape == (0, 3)
    np.testing.assert_array_equal(remembered("a").alone, [7, 8, 9])


def test_a_query_that_was_read_beside_nobody_is_read_beside_somebody():
    remembered = remembering(lambda ids: Answers(np.ones((len(ids), 3)), np.zeros(3)))
    assert remembered([]).log_prob.shape == (0, 3)
    assert remembered(["a"]).log_prob.shape == (1, 3)
