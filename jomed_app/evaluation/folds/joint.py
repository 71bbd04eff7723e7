"""Jointly optimised retrieval on held-out cases: search with trained heads, read what is new.

The frozen reader is asked only for pairs that its cache does not hold; everything else about a case
(linear head, random candidates, the reader without a candidate) stays as it was read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from jomed_app.evaluation.folds.read_fold import TableView, pick_per_head
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.evaluation.systems import NEIGHBORS, RawCase
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.progress import OnProgress
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.training.retriever.answer_cache import AnswerCache, fill_cache
from jomed_app.training.retriever.stage import FoldCorpus
from jomed_app.training.run.loop import no_progress

JOINT_NAMES = {"reader": "joint_reader", "rag": "joint"}
JOINT_SYSTEMS = tuple(JOINT_NAMES.values())


def read_joint(
    reader: TableReader,
    corpus: FoldCorpus,
    heads: RetrieverProjections,
    cache: AnswerCache,
    raw: Mapping[int, RawCase],
    view: TableView,
    k_per_head: int,
    *,
    on_progress: OnProgress = no_progress,
) -> dict[int, RawCase]:
    """Search and read the held-out cases of a fold with trained query heads.

    Args:
        reader: frozen, of the fold.
        corpus: what is searched.
        heads: projections with trained heads.
        cache: of that reader; grows by what is read.
        raw: row -> what was read beside the frozen retriever's candidates.
        view: arrays over the case table.
        k_per_head: hits per head.
        on_progress: called after every case.

    Returns:
        Row -> the same with candidates, their answers and the voters of the trained heads.
    """
    found = {row: _search(corpus, heads, row, view, k_per_head) for row in raw}
    fill_cache(
        cache,
        reader.cases,
        {row: near.tolist() for row, (near, _) in found.items()},
        reader.query,
        reader.candidate,
        on_progress=on_progress,
    )
    joint = {}
    for row, (near, changes) in found.items():
        answers = cache[row].of(near.tolist()).astype(np.float64)
        retrieved = np.asarray(log_softmax(answers, axis=-1))
        joint[row] = replace(raw[row], retrieved=retrieved, boxes=None, **changes)
    return joint


def _search(
    corpus: FoldCorpus, heads: RetrieverProjections, row: int, view: TableView, k_per_head: int
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Candidate rows of one query, and the fields of its raw case that the search decides."""
    allowed, scores = corpus.scores(heads, row)
    places, relative, is_text = pick_per_head(scores, k_per_head)
    nearest = np.argsort(-scores["image"], kind="stable")[:NEIGHBORS]
    return allowed[places], {
        "retrieved_labels": view.labels[allowed[places]],
        "scores": relative,
        "is_text": is_text,
        "neighbor_labels": view.labels[allowed[nearest]],
        "neighbor_scores": scores["image"][nearest].astype(np.float64),
    }


def beside(standard: list[CaseScores], joint: list[CaseScores]) -> list[CaseScores]:
    """Put the trained heads' systems beside the frozen retriever's, case by case."""
    return [
        replace(
            one,
            systems={
                **one.systems,
                **{name: other.systems[own] for own, name in JOINT_NAMES.items()},
            },
        )
        for one, other in zip(standard, joint, strict=True)
    ]
