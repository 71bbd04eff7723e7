"""Read one case whose truth is known: the app's search and reading, and an evaluation's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.inference.case_reader import CaseReader
from jomed_app.inference.conclusion.evidence import (
    MOST_NEIGHBORS,
    FloatArray,
    counting_alike,
    gather,
)
from jomed_app.models.reader.protocol import CandidateInput, Encoding
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.search import find_candidates
from jomed_app.types import Head


@dataclass(frozen=True, slots=True)
class Answers:
    """What a reader says of one query.

    Attributes:
        log_prob: (K, C) log p(label | query, candidate), nats, each row normalized.
        alone: (C,) without a candidate, normalized.
    """

    log_prob: FloatArray
    alone: FloatArray


Ask = Callable[[Sequence[str]], Answers]
"""Candidate ids -> what the reader says beside each of them."""


def ask_reader(
    reader: CaseReader,
    query: Encoding,
    inputs: Callable[[Sequence[str]], Sequence[CandidateInput]],
) -> Ask:
    """Ask the task's question of one query.

    Args:
        reader: asks it.
        query: the encoded image.
        inputs: ids -> candidates as the reader takes them.
    """

    def ask(ids: Sequence[str]) -> Answers:
        said = reader.read(query, reader.task.question, inputs(ids))
        return Answers(said.log_prob, said.alone_log_prob)

    return ask


def remembering(ask: Ask) -> Ask:
    """Return an `Ask` that reads no candidate of its query twice.

    Rows of other candidates change an answer in its last digits only, so that a case that is read
    beside several collections is read once beside the candidates that they share. The seconds of a
    case then tell nothing.

    Args:
        ask: of one query.
    """
    rows: dict[str, FloatArray] = {}
    alone: list[FloatArray] = []

    def remembered(ids: Sequence[str]) -> Answers:
        missing = [each for each in dict.fromkeys(ids) if each not in rows]
        if missing or not alone:
            said = ask(missing)
            rows.update(zip(missing, said.log_prob, strict=True))
            alone.append(said.alone)
        empty = np.empty((0, len(alone[0])))
        return Answers(np.stack([rows[each] for each in ids]) if ids else empty, alone[0])

    return remembered


def read_case(
    ask: Ask,
    corpus: CorpusView,
    vectors: Mapping[Head, NDArray[np.float32]],
    labels: Sequence[str],
    *,
    k_per_head: int,
    backbone: FloatArray,
    exclude_ids: Collection[str] = frozenset(),
    exclude_groups: Collection[str] = frozenset(),
    new: Collection[str] = (),
    seed: int | Sequence[int] | None = None,
    truth: str | None = None,
) -> HeldOutCase:
    """Search, read beside what was found, and gather the evidence.

    Random and misleading candidates are read apart, when the clock has stopped: they change neither
    the other answers nor the time of a case.

    Args:
        ask: the reader.
        corpus: what is searched.
        vectors: per head the (D,) query vector.
        labels: C names.
        k_per_head: hits per search.
        backbone: (C,) log-probabilities of the linear head.
        exclude_ids: candidates left out, the query's own copies.
        exclude_groups: groups left out, the query's own.
        new: those of the labels that only the corpus knows.
        seed: of the random candidates; None reads none.
        truth: the true label, where the nearest candidates of other labels are read too; None
            reads none.
    """
    start = time.perf_counter()
    hits = find_candidates(corpus, vectors, k_per_head, exclude_ids, exclude_groups)
    nearest = corpus.search(vectors["image"], "image", MOST_NEIGHBORS, exclude_ids, exclude_groups)
    found = [hit.candidate_id for hit in hits]
    said = ask(found)
    evidence = gather(
        hits, nearest, corpus, labels, candidates=said.log_prob, alone=said.alone, new=new
    )
    seconds = time.perf_counter() - start

    def labels_of(ids: Sequence[str]) -> NDArray[np.intp]:
        return np.array([labels.index(corpus.candidate(each).label) for each in ids], np.intp)

    drawn: list[str] = []
    if seed is not None:
        others = corpus.others(exclude_ids, exclude_groups)
        count = min(len(hits), len(others))
        drawn = np.random.default_rng(seed).choice(others, count, replace=False).tolist()
    misleading: list[str] = []
    if truth is not None:
        misleading = [
            hit.candidate_id
            for hit in find_candidates(
                corpus, vectors, k_per_head, exclude_ids, exclude_groups, {truth}
            )
        ]
    return HeldOutCase(
        evidence=evidence,
        labels=labels_of(found),
        backbone=backbone,
        candidate_ids=tuple(found),
        drawn=counting_alike(ask(drawn).log_prob, said.alone) if drawn else None,
        drawn_labels=labels_of(drawn),
        adversarial=counting_alike(ask(misleading).log_prob, said.alone) if misleading else None,
        adversarial_labels=labels_of(misleading),
        seconds=seconds,
    )
