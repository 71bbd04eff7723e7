"""Reading one case: every candidate in one batch, labels scored, then what the reader describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.models.reader.protocol import (
    CandidateInput,
    Describing,
    Description,
    Encoding,
    FloatArray,
    Reader,
    Reading,
)

ALONE_SHARE = 0.2  # ours: weight of the row without a candidate in box and descriptors

NOTHING_DESCRIBED = Description(None, 0.0, {})


def describe_shares(weights: FloatArray, num_rows: int | None = None) -> FloatArray:
    """Shares of the rows in a description: candidates by weight, the row without one last.

    Args:
        weights: (K,) of the candidates that count; sums to 1.
        num_rows: rows read, R > K; those between count nothing. None means K + 1.
    """
    shares = np.zeros(num_rows or len(weights) + 1)
    shares[: len(weights)] = weights * (1 - ALONE_SHARE)
    shares[-1] = ALONE_SHARE
    return shares


@dataclass(frozen=True, slots=True)
class CaseReading:
    """What the reader says of one query beside K candidates.

    Attributes:
        log_likelihood: (K, C) log p(label | query, candidate) over all texts, nats.
        log_prob: (K, C) the same, normalized over the labels.
        alone_log_prob: (C,) without a candidate, normalized.
        reading: the rows (K candidates, then none), ready to go on.
    """

    log_likelihood: FloatArray
    log_prob: FloatArray
    alone_log_prob: FloatArray
    reading: Reading


class CaseReader:
    """Asks a reader a task's question.

    Args:
        reader: the vision-language model.
        task: labels and descriptors.
    """

    def __init__(self, reader: Reader, task: Task) -> None:
        self.reader = reader
        self.task = task

    def read(
        self, query: Encoding, question: str, candidates: Sequence[CandidateInput]
    ) -> CaseReading:
        """Read all candidates (and none) in one batch and score every label."""
        reading = self.reader.read(query, question, candidates)
        scores = self.reader.score(reading, self.task.labels).double().numpy()
        normalized = np.asarray(log_softmax(scores, axis=-1))
        return CaseReading(scores[:-1], normalized[:-1], normalized[-1], reading)

    def describe(
        self,
        case: CaseReading,
        weights: FloatArray,
        label: int,
        *,
        box: Box | None = None,
        draft: Mapping[str, str] | None = None,
    ) -> Description:
        """Let the reader go on from a label, where it can; see `Describing.describe`.

        Args:
            case: consumed; its rows cannot be read on from again.
            weights: (K + 1,) share of every row, the one without a candidate last; sums to 1.
            label: index of the label that the description belongs to.
            box: on the unit square, where it is known from elsewhere.
            draft: a guess at the descriptors, the best candidate's, say.
        """
        is_empty = self.task.labels[label] in self.task.empty_labels
        if is_empty or not isinstance(self.reader, Describing):
            return NOTHING_DESCRIBED
        return self.reader.describe(case.reading, self.task, weights, label, box=box, draft=draft)
