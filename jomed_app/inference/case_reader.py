"""Reading one case: every candidate in one batch, labels scored, then box and descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import box_bins
from jomed_app.models.localizer.detection import WINDOW_BINS, peak_expectation
from jomed_app.models.reader.packed import CandidateInput, ImageEncoding, Reader, Reading

FloatArray = NDArray[np.float64]
ALONE_SHARE = 0.2  # ours: weight of the row without a candidate in box and descriptors


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
        self._labels = [reader.prompts.answer(f" {label}") for label in task.labels]
        self._options = {
            name: [reader.prompts.answer(f" {value}") for value in values]
            for name, values in task.descriptors.items()
        }

    def candidate(self, encoding: ImageEncoding, label: str, passage: str) -> CandidateInput:
        """Prepare a candidate: its image tokens pooled."""
        return CandidateInput(self.reader.pool_features(encoding.features), label, passage)

    def read(
        self, query: ImageEncoding, question: str, candidates: Sequence[CandidateInput]
    ) -> CaseReading:
        """Read all candidates (and none) in one batch and score every label."""
        reading = self.reader.read(query, question, candidates)
        scores = self.reader.score_answers(reading, self._labels).double().numpy()
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
        """Go on from a label: box, then descriptors, each marginalized over the rows.

        Source: arXiv:2508.17394 fuses position by position; ours fuses probabilities.

        Args:
            case: consumed; its rows cannot be read on from again.
            weights: (K + 1,) share of every row, the one without a candidate last; sums to 1.
            label: index of the label that the description belongs to.
            box: on the unit square, where it is known from elsewhere: it then stands in the
                answer as if the reader had said it. None lets the reader say it.
            draft: a guess at the descriptors (the best candidate's, say); it changes the number
                of passes, never the answer.
        """
        if self.task.labels[label] in self.task.empty_labels:
            return Description(None, 0.0, {})
        shares = torch.from_numpy(weights).float()
        reading, confidence = case.reading, 1.0
        if not self.task.has_boxes:
            findings = self._findings(reading, list(self._labels[label]), shares, draft or {})
            return Description(None, 0.0, findings)
        if box is None:
            reading, box, confidence, pending = self._say_box(reading, shares, label)
        else:
            bins = box_bins(box, self.reader.location_bins)
            pending = [*self._labels[label], *(int(self.reader.location_ids[b]) for b in bins)]
        return Description(box, confidence, self._findings(reading, pending, shares, draft or {}))

    def _say_box(
        self, reading: Reading, shares: Tensor, label: int
    ) -> tuple[Reading, Box, float, list[int]]:
        """The reader's own box; its last location token is still to be read."""
        pending = list(self._labels[label])
        edges: list[float] = []
        masses: list[float] = []
        for place in range(4):
            reading = self.reader.extend(reading, pending)
            probability = self._place(reading, shares)
            if place >= 2:
                floor = int(edges[place - 2] * len(probability)) + 1
                probability[: min(floor, len(probability) - 1)] = 0.0
            value, peak, mass = peak_expectation(probability, WINDOW_BINS)
            edges.append(value)
            masses.append(mass)
            pending = [int(self.reader.location_ids[peak])]
        low_x, low_y, high_x, high_y = edges
        step = 0.5 / self.reader.location_bins
        box = Box(low_x, low_y, max(high_x, low_x + step), max(high_y, low_y + step))
        return reading, box, float(np.mean(masses)), pending

    def _place(self, reading: Reading, shares: Tensor) -> Tensor:
        """(L,) marginal probability of the next location token."""
        rows = reading.next_log_prob[:, self.reader.location_ids].softmax(-1)
        return (shares[:, None] * rows).sum(0)

    def _findings(
        self, reading: Reading, pending: list[int], shares: Tensor, draft: Mapping[str, str]
    ) -> dict[str, dict[str, float]]:
        """Descriptor by descriptor; guesses are read ahead in one pass and kept where they hold.

        `pending` holds the tokens that stand before the first descriptor and are still unread.
        """
        names = list(self._options)
        findings: dict[str, dict[str, float]] = {}
        guess = [self._guess(name, draft) for name in names]
        while len(findings) < len(names):
            done = len(findings)
            ahead_names = (
                names[done:] if all(map(self._is_short, names[done:])) else names[done:][:1]
            )
            ids = [*pending, *(each[0] for each in guess[done : done + len(ahead_names) - 1])]
            reading, following = self.reader.look_ahead(reading, ids)
            for place, name in enumerate(ahead_names, start=len(pending) - 1):
                last = following[:, place]
                findings[name] = self._marginal(name, replace(reading, next_log_prob=last), shares)
                wrong = len(ids) - place - 1
                if wrong and self._option(name, findings) != guess[names.index(name)]:
                    # What was read behind the wrong guess is no answer, but a better guess.
                    later = following[:, place + 1 :]
                    behind = ahead_names[len(findings) - done :]
                    for after, logits in zip(behind, later.unbind(1), strict=True):
                        ahead = replace(reading, next_log_prob=logits)
                        better = {after: self._marginal(after, ahead, shares)}
                        guess[names.index(after)] = self._option(after, better)
                    reading = self.reader.rewind(reading, wrong, last)
                    break
            pending = self._option(names[len(findings) - 1], findings)
        return findings

    def _is_short(self, name: str) -> bool:
        """Whether every value is one token, so that none is scored on what was guessed ahead."""
        return all(len(ids) == 1 for ids in self._options[name])

    def _guess(self, name: str, draft: Mapping[str, str]) -> list[int]:
        values = self.task.descriptors[name]
        return self._options[name][values.index(draft[name]) if draft.get(name) in values else 0]

    def _option(self, name: str, findings: Mapping[str, Mapping[str, float]]) -> list[int]:
        """Tokens of the likeliest value."""
        values = findings[name]
        best = max(values, key=lambda value: values[value])
        return self._options[name][self.task.descriptors[name].index(best)]

    def _marginal(self, name: str, reading: Reading, shares: Tensor) -> dict[str, float]:
        rows = self.reader.score_answers(reading, self._options[name]).softmax(-1)
        marginal = (shares[:, None] * rows).sum(0).tolist()
        return dict(zip(self.task.descriptors[name], marginal, strict=True))
