"""Known images that were asked alike: questions are compared by their words.

Source: arXiv:2508.17394 retrieves by the image alone. Ours: a candidate helps with a question if
its image is alike and the same was asked of it; and what it is read with are its answers to the
questions most alike, since no passage of forty words holds the answer to every question.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.data.wording.questions import taught_answer
from jomed_app.retrieval.corpus_view import CorpusView

QUESTION_WEIGHT = 2.0  # of a question's likeness beside the image's, both at most 1
ANSWERS_SHOWN = 3
NUM_VOTERS = 16
SHORTLIST = 256  # images alike, among which those asked alike are sought


@dataclass(frozen=True, slots=True)
class Voter:
    """One question that was asked about a known image.

    Attributes:
        answer: to it.
        score: how alike image and question are, higher is more.
    """

    answer: str
    score: float


class QuestionSearch:
    """The questions of N known cases.

    Likeness of two questions is the cosine of their TF-IDF vectors over words and pairs of words.

    Args:
        records: known cases; those without questions are like none.
    """

    def __init__(self, records: Sequence[CaseRecord]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._last: tuple[str | None, NDArray[np.float64]] = None, np.zeros(0)
        self._asked = [each for record in records for each in record.questions]
        self._starts = np.cumsum([0, *(len(record.questions) for record in records)])
        self._vectorizer = TfidfVectorizer(  # nosec B106  # a pattern of words
            ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+"
        )
        texts = [each.question for each in self._asked]
        self._matrix = self._vectorizer.fit_transform([*texts, "unknown question"])[: len(texts)]

    def likeness(self, question: str) -> NDArray[np.float64]:
        """Return (N,) likeness in [0, 1] of each case's most alike question; 0 without any."""
        found = np.zeros(len(self._starts) - 1)
        asked = np.diff(self._starts) > 0
        if asked.any():
            values = self._compare(question)
            found[asked] = np.maximum.reduceat(values, self._starts[:-1][asked])
        return found

    def scores(
        self,
        question: str,
        images: NDArray[np.floating],
        rows: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Return (M,) scores by which candidates are ranked for a question.

        Args:
            question: as asked.
            images: (M,) likeness of the images, at most 1.
            rows: (M,) of the known cases; None takes all N in order.
        """
        alike = self.likeness(question)
        return images.astype(np.float64) + QUESTION_WEIGHT * (
            alike if rows is None else alike[rows]
        )

    def voters(
        self,
        question: str,
        images: NDArray[np.floating],
        rows: NDArray[np.int64] | None = None,
    ) -> list[Voter]:
        """Answers to the known questions most alike about images most alike, the best first.

        Unlike `scores`, which ranks cases, every known question stands for itself.

        Args:
            question: as asked.
            images: (M,) likeness of the images, at most 1.
            rows: (M,) of the known cases; None takes all N in order.

        Returns:
            `NUM_VOTERS` of them, or as many as there are.
        """
        chosen = np.arange(len(self._starts) - 1) if rows is None else rows
        image_of = np.full(len(self._starts) - 1, -np.inf)
        image_of[chosen] = images
        scores = np.repeat(image_of, np.diff(self._starts))
        scores = scores + QUESTION_WEIGHT * self._compare(question)
        best = np.argsort(-scores, kind="stable")[:NUM_VOTERS]
        return [
            Voter(taught_answer(self._asked[int(place)].answer), float(scores[place]))
            for place in best
            if np.isfinite(scores[place])
        ]

    def passage(self, row: int, question: str) -> str:
        """Return what one case answers to its questions most alike, the most alike first.

        Empty for a case without questions.
        """
        shown = self._most_alike(row, question)[:ANSWERS_SHOWN]
        return " ".join(f"{each.question} {taught_answer(each.answer)}." for each in shown)

    def answer(self, row: int, question: str) -> str:
        """Return a case's answer to its question most alike; empty for a case without any."""
        shown = self._most_alike(row, question)
        return taught_answer(shown[0].answer) if shown else ""

    def _most_alike(self, row: int, question: str) -> list[AskedQuestion]:
        start, end = int(self._starts[row]), int(self._starts[row + 1])
        order = np.argsort(-self._compare(question)[start:end], kind="stable")
        return [self._asked[start + int(place)] for place in order]

    def _compare(self, question: str) -> NDArray[np.float64]:
        """(Q,) likeness to every known question."""
        if question != self._last[0]:
            asked = self._vectorizer.transform([question])
            self._last = question, (self._matrix @ asked.T).toarray()[:, 0]
        return self._last[1]


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Known images alike one image, among which those asked alike are sought.

    Attributes:
        ids: (M,) candidate ids; scores: (M,) likeness of the images, the most alike first.
    """

    ids: tuple[str, ...]
    scores: NDArray[np.float64]


class QuestionCorpus:
    """Known images with questions: what a question about another image is read beside.

    Args:
        corpus: the images, searched by the image head.
    """

    def __init__(self, corpus: CorpusView) -> None:
        self.corpus = corpus
        self._search = QuestionSearch([corpus.candidate(each) for each in corpus.ids])
        self._row_of = {each: row for row, each in enumerate(corpus.ids)}

    def shortlist(
        self,
        vector: NDArray[np.float32],
        exclude_ids: Collection[str] = frozenset(),
        exclude_groups: Collection[str] = frozenset(),
    ) -> Shortlist:
        """Return the `SHORTLIST` images most alike, or as many as there are.

        Args:
            vector: (D,) query vector of the image head.
            exclude_ids: candidates left out, the image's own copies.
            exclude_groups: groups left out, the image's own.
        """
        hits = self.corpus.search(vector, "image", SHORTLIST, exclude_ids, exclude_groups)
        scores = np.array([hit.retriever_score for hit in hits], dtype=np.float64)
        return Shortlist(tuple(hit.candidate_id for hit in hits), scores)

    def rank(self, near: Shortlist, question: str) -> Shortlist:
        """Return the same images ranked for a question, with `QuestionSearch.scores`."""
        scores = self._search.scores(question, near.scores, self._rows(near))
        order = np.argsort(-scores, kind="stable")
        return Shortlist(tuple(near.ids[place] for place in order), scores[order])

    def voters(self, near: Shortlist, question: str) -> list[Voter]:
        """What these images answered to questions alike; see `QuestionSearch.voters`."""
        return self._search.voters(question, near.scores, self._rows(near))

    def passage(self, candidate_id: str, question: str) -> str:
        """What one image answers to its questions most alike, the most alike first."""
        return self._search.passage(self._row_of[candidate_id], question)

    def answer(self, candidate_id: str, question: str) -> str:
        """One image's answer to its question most alike; empty without any."""
        return self._search.answer(self._row_of[candidate_id], question)

    def _rows(self, near: Shortlist) -> NDArray[np.int64]:
        return np.array([self._row_of[each] for each in near.ids], dtype=np.int64)
