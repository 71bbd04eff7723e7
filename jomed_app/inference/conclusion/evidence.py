"""What can speak about a query, gathered once: answers beside candidates, the vote, the image.

The engine, a labelled split, a fold of cross-validation and a question with free answers all gather
this and conclude from it (`conclusion.conclude`); what is measured is what the app does.

Letters in docstrings: K candidates, C answers (labels), N nearest cases.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jomed_app.inference.conclusion.standing import UNKNOWN
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.search import Hit

FloatArray = NDArray[np.float64]
Voice = Literal["candidates", "alone", "vote", "image"]

MOST_NEIGHBORS = 64  # nearest cases kept; how many of them vote is a setting


@dataclass(frozen=True, slots=True)
class Evidence:
    """What can speak about a query, before any setting is applied.

    Leading axes are cases: none for one query, one axis for a thousand. What is None says nothing.

    Attributes:
        candidates: (..., K, C) log p(label | query, candidate), nats; a row may hold -inf for an
            answer that was not weighed beside any candidate, but not -inf alone.
        scores: (..., K) head-normalized retriever scores; -inf fills up where fewer were found.
        is_text: (..., K) True where only the text search found the candidate.
        alone: (..., C) the reader without a candidate, nats.
        neighbor_scores: (..., N) inner products of the nearest cases, best first; -inf for one that
            has no vote.
        neighbor_labels: (..., N) their label indexes.
        image: (..., C) probabilities that the image alone gives.
        known: (..., K) label index of each candidate's known diagnosis; -1 for one that is no label
            and where fewer were found. It weighs nothing: the candidates' text holds it already.
        is_new: (C,) True for a label that only the corpus knows; None for no such label.
    """

    candidates: FloatArray | None = None
    scores: FloatArray | None = None
    is_text: NDArray[np.bool_] | None = None
    alone: FloatArray | None = None
    neighbor_scores: FloatArray | None = None
    neighbor_labels: NDArray[np.intp] | None = None
    image: FloatArray | None = None
    known: NDArray[np.intp] | None = None
    is_new: NDArray[np.bool_] | None = None

    @property
    def num_labels(self) -> int:
        """C.

        Raises:
            ValueError: if only a vote speaks and `is_new` is None.
        """
        for said in (self.is_new, self.candidates, self.alone, self.image):
            if said is not None:
                return int(said.shape[-1])
        raise ValueError("a vote alone does not say how many labels there are; give is_new")

    def only(self, *voices: Voice) -> Evidence:
        """The same with all other voices silent.

        The reader without a candidate stays beside `candidates`: it is what they are compared with.
        """
        reads, votes = "candidates" in voices, "vote" in voices
        return Evidence(
            candidates=self.candidates if reads else None,
            scores=self.scores if reads else None,
            is_text=self.is_text if reads else None,
            alone=self.alone if reads or "alone" in voices else None,
            neighbor_scores=self.neighbor_scores if votes else None,
            neighbor_labels=self.neighbor_labels if votes else None,
            image=self.image if "image" in voices else None,
            known=self.known if reads else None,
            is_new=np.zeros(self.num_labels, np.bool_) if self.is_new is None else self.is_new,
        )


def counting_alike(candidates: ArrayLike, alone: FloatArray | None) -> Evidence:
    """Evidence of candidates that no search weighs, such as random ones.

    Args:
        candidates: (..., K, C) nats.
        alone: (..., C) nats, or None.
    """
    rows = np.asarray(candidates, dtype=np.float64)
    return Evidence(
        candidates=rows,
        scores=np.ones(rows.shape[:-1]),
        is_text=np.zeros(rows.shape[:-1], dtype=np.bool_),
        alone=alone,
    )


def gather(
    hits: Sequence[Hit],
    nearest: Sequence[Hit],
    corpus: CorpusView,
    labels: Sequence[str],
    *,
    candidates: FloatArray,
    alone: FloatArray,
    image: FloatArray | None = None,
    new: Collection[str] = (),
) -> Evidence:
    """Put together what was found and what was read of one query.

    Args:
        hits: K candidates, best first.
        nearest: cases that may vote, best first; one whose label is none of `labels` has no vote.
        corpus: where they stand.
        labels: C names, in the order of every row.
        candidates: (K, C) log p(label | query, candidate), nats.
        alone: (C,) without a candidate, nats.
        image: (C,) probabilities of the image alone, or None.
        new: those of the labels that only the corpus knows.
    """
    place = {label: number for number, label in enumerate(labels)}
    near = [corpus.candidate(hit.candidate_id).label for hit in nearest]
    found = [corpus.candidate(hit.candidate_id).label for hit in hits]
    has_vote = np.array([label in place for label in near], dtype=np.bool_)
    scores = np.array([hit.retriever_score for hit in nearest], dtype=np.float64)
    votes = bool(has_vote.any())
    return Evidence(
        candidates=np.asarray(candidates, dtype=np.float64),
        scores=np.array([hit.relative_score for hit in hits], dtype=np.float64),
        is_text=np.array([hit.heads == ("text",) for hit in hits], dtype=np.bool_),
        alone=np.asarray(alone, dtype=np.float64),
        neighbor_scores=np.where(has_vote, scores, -np.inf) if votes else None,
        neighbor_labels=(
            np.array([place.get(label, 0) for label in near], dtype=np.intp) if votes else None
        ),
        image=image,
        known=np.array([place.get(label, UNKNOWN) for label in found], dtype=np.intp),
        is_new=np.array([label in new for label in labels]) if new else None,
    )


def stack(evidence: Sequence[Evidence]) -> Evidence:
    """Put N single cases into one with a leading axis; where one has fewer candidates, fill up.

    A voice is heard in all cases or in none: it must speak in each.

    Args:
        evidence: one or more, of the same labels, without leading axes.

    Raises:
        ValueError: if a voice speaks in some of the cases only.
    """
    num_candidates = max(len(each.scores) if each.scores is not None else 0 for each in evidence)
    num_neighbors = max(
        len(each.neighbor_scores) if each.neighbor_scores is not None else 0 for each in evidence
    )

    def rows(name: str, size: int | None = None, fill: float = 0.0) -> Any:
        found = [getattr(each, name) for each in evidence]
        if all(value is None for value in found):
            return None
        if any(value is None for value in found):
            raise ValueError(f"'{name}' must be said in all cases or in none; leave it out of all")
        if size is None:
            return np.stack(found)
        return np.stack(
            [
                np.pad(
                    value,
                    [(0, size - len(value)), *[(0, 0)] * (value.ndim - 1)],
                    constant_values=fill,
                )
                for value in found
            ]
        )

    return Evidence(
        candidates=rows("candidates", num_candidates),
        scores=rows("scores", num_candidates, -np.inf),
        is_text=rows("is_text", num_candidates),
        alone=rows("alone"),
        neighbor_scores=rows("neighbor_scores", num_neighbors, -np.inf),
        neighbor_labels=rows("neighbor_labels", num_neighbors),
        image=rows("image"),
        known=rows("known", num_candidates, UNKNOWN),
        is_new=evidence[0].is_new,
    )
