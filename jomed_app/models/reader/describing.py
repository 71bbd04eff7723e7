"""How the packed reader goes on from a label: its box and its descriptors, over all rows at once.

Source: arXiv:2508.17394 fuses position by position; ours fuses probabilities.
Ours: it was tuned to answer with the label, four location tokens and a value for each descriptor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import box_bins
from jomed_app.models.localizer.detection import WINDOW_BINS, peak_expectation
from jomed_app.models.reader.packed_rows import PackedRows, Reading
from jomed_app.models.reader.protocol import Description, FloatArray


class Describer:
    """Goes on from a label of one task.

    Args:
        reader: tuned on the task's answers.
        task: labels and descriptors.
    """

    def __init__(self, reader: PackedRows, task: Task) -> None:
        self.reader = reader
        self.task = task
        self._labels = [reader.answer_ids(label) for label in task.labels]
        self._options = {
            name: [reader.answer_ids(value) for value in values]
            for name, values in task.descriptors.items()
        }

    def describe(
        self,
        reading: Reading,
        weights: FloatArray,
        label: int,
        *,
        box: Box | None = None,
        draft: Mapping[str, str] | None = None,
    ) -> Description:
        """Go on from a label: box, then descriptors, each marginalized over the rows.

        Args:
            reading: consumed; its rows cannot be read on from again.
            weights: (R,) share of every row; sums to 1.
            label: index of the label that the description belongs to, one with a finding.
            box: on the unit square, where it is known from elsewhere: it then stands in the
                answer as if the reader had said it. None lets the reader say it.
            draft: a guess at the descriptors (the best candidate's, say); it changes the number
                of passes, never the answer.
        """
        shares = torch.from_numpy(weights).float()
        confidence = 1.0
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
