"""Reading one case: every candidate in one batch, labels scored, then box and descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.models.reader import CandidateInput, ImageEncoding, Reader, Reading

FloatArray = NDArray[np.float64]
WINDOW_BINS = 5  # the expected place is taken over this many bins to either side of the peak


@dataclass(frozen=True, slots=True)
class CaseReading:
    """What the reader says of one query beside K candidates.

    Attributes:
        log_likelihood: (K, C) log p(label | query, candidate) over all texts, nats.
        log_prob: (K, C) the same, normalized over the labels.
        plain_log_prob: (C,) without a candidate, normalized.
        reading: the rows (K candidates, then none), ready to go on.
    """

    log_likelihood: FloatArray
    log_prob: FloatArray
    plain_log_prob: FloatArray
    reading: Reading


@dataclass(frozen=True, slots=True)
class Description:
    """Where the finding is and what it looks like.

    Attributes:
        box: on the unit square of the model input, or None for a label without a finding.
        confidence: share of the location mass that lies near the box's edges, in [0, 1].
        findings: descriptor -> value -> marginal probability.
    """

    box: Box | None
    confidence: float
    findings: dict[str, dict[str, float]]


class CaseReader:
    """Asks a reader a task's question.

    Args:
        reader: the vision-language model.
        task: labels and descriptors.
    """

    def __init__(self, reader: Reader, task: Task) -> None:
        self.reader = reader
        self.task = task
        self._labels = [reader.rows.answer(f" {label}") for label in task.labels]
        self._options = {
            name: [reader.rows.answer(f" {value}") for value in values]
            for name, values in task.descriptors.items()
        }

    def candidate(self, encoding: ImageEncoding, label: str, passage: str) -> CandidateInput:
        """Prepare a candidate: its image tokens pooled."""
        return CandidateInput(self.reader.pool_features(encoding.features), label, passage)

    def read(
        self, query: ImageEncoding, question: str, candidates: Sequence[CandidateInput]
    ) -> CaseReading:
        """Read all candidates (and none) in one batch and score every label."""
        reading = self.reader.read(self.reader.begin(query, question), candidates)
        scores = self.reader.score_answers(reading, self._labels).double().numpy()
        normalized = np.asarray(log_softmax(scores, axis=-1))
        return CaseReading(scores[:-1], normalized[:-1], normalized[-1], reading)

    def describe(self, case: CaseReading, weights: FloatArray, label: int) -> Description:
        """Go on from a label: box and descriptors, each marginalized over the rows.

        Source: arXiv:2508.17394 fuses position by position; ours fuses probabilities.

        Args:
            case: consumed; its rows cannot be read on from again.
            weights: (K + 1,) share of every row, the one without a candidate last; sums to 1.
            label: index of the label that the description belongs to.
        """
        if self.task.labels[label] in self.task.empty_labels:
            return Description(None, 0.0, {})
        shares = torch.from_numpy(weights).float()
        reading = self.reader.extend(case.reading, self._labels[label])
        edges: list[float] = []
        confidences: list[float] = []
        for place in range(4):
            probability = self._place(reading, shares)
            if place >= 2:
                floor = int(edges[place - 2] * len(probability)) + 1
                probability[: min(floor, len(probability) - 1)] = 0.0
            value, peak, mass = peak_expectation(probability, WINDOW_BINS)
            edges.append(value)
            confidences.append(mass)
            reading = self.reader.extend(reading, [int(self.reader.location_ids[peak])])
        low_x, low_y, high_x, high_y = edges
        step = 0.5 / self.reader.location_bins
        box = Box(low_x, low_y, max(high_x, low_x + step), max(high_y, low_y + step))
        return Description(box, float(np.mean(confidences)), self._findings(reading, shares))

    def _place(self, reading: Reading, shares: Tensor) -> Tensor:
        """(L,) marginal probability of the next location token."""
        rows = reading.next_log_prob[:, self.reader.location_ids].softmax(-1)
        return (shares[:, None] * rows).sum(0)

    def _findings(self, reading: Reading, shares: Tensor) -> dict[str, dict[str, float]]:
        findings: dict[str, dict[str, float]] = {}
        names = list(self._options)
        for name in names:
            options = self._options[name]
            rows = self.reader.score_answers(reading, options).softmax(-1)
            marginal = (shares[:, None] * rows).sum(0)
            values = self.task.descriptors[name]
            findings[name] = {
                value: float(p) for value, p in zip(values, marginal.tolist(), strict=True)
            }
            if name != names[-1]:
                reading = self.reader.extend(reading, options[int(marginal.argmax())])
        return findings


def peak_expectation(probability: Tensor, window: int) -> tuple[float, int, float]:
    """Locate a value by its bins: the mean around the highest one.

    Ours: finer than the bin itself, and deaf to a second peak far away.

    Args:
        probability: (L,) >= 0, not all zero.
        window: bins to either side of the peak that count.

    Returns:
        The value on [0, 1], the peak's bin, and the share of the mass inside the window.
    """
    total = probability.sum()
    peak = int(probability.argmax())
    low, high = max(0, peak - window), min(len(probability), peak + window + 1)
    inside = probability[low:high]
    centers = (torch.arange(low, high, dtype=torch.float32) + 0.5) / len(probability)
    value = float((inside * centers).sum() / inside.sum())
    return value, peak, float(inside.sum() / total)
