"""How a case stands: do the readings agree, is the answer one of them, do known diagnoses object.

Ours: arXiv:2508.17394 asks only whether the readings agree. Four readings that agree on what the
final answer is not, or beside four known cases of another diagnosis, are no agreement to rely on;
each such state has an error rate of its own (`evaluation.fit.settings`).

Letters in docstrings: K candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jomed_app.types import (
    CandidateResult,
    Consistency,
    ConsistencyState,
    FinalResult,
    Standing,
)

UNKNOWN = -1  # a known diagnosis that is none of the labels


def standings(
    states: NDArray[np.object_],
    readings: ArrayLike,
    answer: ArrayLike,
    *,
    known: ArrayLike | None = None,
    counts: ArrayLike | None = None,
) -> NDArray[np.object_]:
    """Name how cases stand.

    Args:
        states: (...) `ConsistencyState` of the readings.
        readings: (..., K) label index of the answer beside each candidate.
        answer: (...) label index of the final answer.
        known: (..., K) label index of each candidate's known diagnosis, `UNKNOWN` for one that is
            no label; None where nothing is known of them, so that nothing speaks against.
        counts: (..., K) True for a candidate that counts; None for all.

    Returns:
        (...) `Standing`. Contradicted: more than half of the candidates that count are known to be
        something else. Overruled goes before contradicted.
    """
    read, final = np.asarray(readings), np.asarray(answer)[..., None]
    counted = np.ones(read.shape, dtype=np.bool_) if counts is None else np.asarray(counts)
    stands = np.empty(np.shape(answer), dtype=object)
    for state in ConsistencyState:
        stands[states == state] = Standing(state.value)
    if known is not None:
        objecting = ((np.asarray(known) != final) & counted).sum(axis=-1)
        stands[2 * objecting > counted.sum(axis=-1)] = Standing.CONTRADICTED
    stands[~((read == final) & counted).any(axis=-1)] = Standing.OVERRULED
    return stands


def standing_of(
    consistency: Consistency, final: FinalResult, candidates: Sequence[CandidateResult]
) -> Standing:
    """How the case of a result stands; the same rule as `standings`.

    Args:
        consistency: of the result.
        final: its answer.
        candidates: those that take part.
    """
    read = [each for each in candidates if each.prediction is not None]
    if consistency.state is ConsistencyState.ABSTAIN or final.prediction is None:
        return Standing.ABSTAIN
    if not read:
        return Standing(consistency.state.value)
    names = sorted({final.prediction, *(str(each.prediction) for each in read)})
    place = {name: number for number, name in enumerate(names)}
    found = standings(
        np.array(consistency.state, dtype=object),
        [place[str(each.prediction)] for each in read],
        place[final.prediction],
        known=[place.get(each.label, UNKNOWN) for each in read],
    )
    named: Standing = found.item()
    return named
