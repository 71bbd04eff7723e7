"""Evidence: what speaks, who is silent, and many cases put together as one."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.data.records import CaseRecord
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.conclusion.evidence import Evidence, counting_alike, gather, stack
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.search import find_candidates

LABELS = ("normal", "benign", "malignant")


def draw(rng, num_candidates=4, num_neighbors=6, *, has_image=True):
    def logs(*shape):
        return np.log(rng.dirichlet(np.ones(3), size=shape))

    return Evidence(
        candidates=logs(num_candidates),
        scores=np.sort(rng.uniform(0.5, 1.0, num_candidates))[::-1],
        is_text=rng.random(num_candidates) < 0.5,
        alone=logs(1)[0],
        neighbor_scores=np.sort(rng.uniform(0.2, 0.9, num_neighbors))[::-1],
        neighbor_labels=rng.integers(3, size=num_neighbors),
        image=np.exp(logs(1)[0]) if has_image else None,
    )


SETTINGS = Settings(
    weight_temperature=0.2, text_offset=-1.0, guidance=0.5, num_neighbors=5,
    vote_temperature=0.1, vote_share=0.3, image_share=0.2,
)  # fmt: skip


def test_many_cases_conclude_as_each_alone():
    """With fewer candidates and neighbors in some: what is filled up has no say."""
    rng = np.random.default_rng(0)
    cases = [draw(rng, 4 - place % 3, 6 - place % 2) for place in range(9)]
    profile = Profile(settings=SETTINGS)
    together = conclude(stack(cases), profile)
    for place, case in enumerate(cases):
        alone = conclude(case, profile)
        np.testing.assert_allclose(together.log_prob[place], alone.log_prob, atol=1e-12)
        assert together.states[place] is alone.states.item()


def test_a_voice_speaks_in_all_cases_or_in_none():
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="'image' must be said in all cases or in none"):
        stack([draw(rng), draw(rng, has_image=False)])


def test_only_what_is_asked_for_speaks():
    case = draw(np.random.default_rng(2))
    said = case.only("candidates")
    assert said.alone is case.alone, "candidates are compared with the reader alone"
    assert (said.image, said.neighbor_scores) == (None, None)
    assert case.only("vote").num_labels == 3
    np.testing.assert_allclose(
        conclude(case.only("image"), Profile(settings=SETTINGS)).probabilities, case.image
    )
    np.testing.assert_allclose(
        conclude(case.only("alone"), Profile(settings=SETTINGS)).probabilities, np.exp(case.alone)
    )


def test_a_vote_alone_needs_to_know_how_many_labels_there_are():
    with pytest.raises(ValueError, match="does not say how many labels"):
        _ = Evidence(neighbor_scores=np.ones(2), neighbor_labels=np.zeros(2, int)).num_labels


def test_candidates_that_no_search_weighs_count_alike():
    rows = np.log([[0.8, 0.2], [0.4, 0.6]])
    found = conclude(counting_alike(rows, np.log([0.5, 0.5])), Profile())
    np.testing.assert_allclose(found.probabilities, [0.6, 0.4])


@pytest.fixture
def corpus():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(2, 6, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    labels = ("normal", "benign", "malignant", "foreign", "benign", "normal")
    records = [
        CaseRecord(case_id=f"c{place}", image="i", label=label, passage="", rows=8, columns=8)
        for place, label in enumerate(labels)
    ]
    return CorpusView.of_vectors("six", records, {"image": vectors[0], "text": vectors[1]})


def test_a_neighbor_of_a_foreign_label_has_no_vote(corpus):
    vector = np.ones(4, np.float32) / 2
    hits = find_candidates(corpus, {"image": vector, "text": vector}, 1)
    nearest = corpus.search(vector, "image", 6)
    rows = np.log(np.full((len(hits), 3), 1 / 3))
    found = gather(hits, nearest, corpus, LABELS, candidates=rows, alone=rows[0])
    foreign = [corpus.candidate(hit.candidate_id).label == "foreign" for hit in nearest]
    np.testing.assert_array_equal(np.isneginf(found.neighbor_scores), foreign)
    np.testing.assert_array_equal(found.is_text, [hit.heads == ("text",) for hit in hits])
    assert found.is_new is None
    silent = gather(hits, nearest, corpus, ("other",), candidates=rows[:, :1], alone=rows[0, :1])
    assert silent.neighbor_scores is None, "where none has a vote nobody votes"


def test_labels_of_the_corpus_alone_are_marked(corpus):
    vector = np.ones(4, np.float32) / 2
    hits = corpus.search(vector, "image", 2)
    rows = np.log(np.full((2, 4), 0.25))
    found = gather(
        hits, hits, corpus, (*LABELS, "foreign"), candidates=rows, alone=rows[0], new=("foreign",)
    )
    assert found.is_new.tolist() == [False, False, False, True]
