"""Any vision-language model learns answers: rows built as for reading, an adapter that moves.

Source: arXiv:2508.17394, stage 1. Ours: images are not changed at random, so that each is encoded
once; a row that hides its query masks those tokens and keeps every position.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jomed_app.data.tasks import Task
from jomed_app.models.reader.vlm.lora import TunedReader
from jomed_app.models.reader.vlm.rows import Row
from jomed_app.training.cases.case_corpus import CaseCorpus
from jomed_app.training.reader.sampling import RowSampler, shown_facts


def label_alone(task: Task) -> Task:
    """The task as it is asked of a large reader: its answer is the label and nothing behind it."""
    return task.model_copy(update={"has_boxes": False, "descriptors": {}})


class VlmLearner:
    """A reader with an adapter; satisfies `train.Learner`.

    Args:
        tuned: the reader.
        corpus: its cases.
    """

    device: torch.device | None = None  # it stays where it was loaded, which may be several GPUs

    def __init__(self, tuned: TunedReader, corpus: CaseCorpus) -> None:
        self.tuned = tuned
        self.corpus = corpus

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The reader, of which the adapter learns."""
        return {"reader": self.tuned.model}

    def learn(self) -> None:
        """Make it learn."""
        self.tuned.learn()

    def rest(self) -> None:
        """Make it read."""
        self.tuned.rest()

    def step_loss(
        self, rows: NDArray[np.int64], sampler: RowSampler, rng: np.random.Generator
    ) -> Mapping[str, Tensor]:
        """Mean over the tokens of all answers; see `train.Learner`."""
        reader = self.tuned.reader
        shown: list[Row] = []
        answers: list[list[int]] = []
        hidden: list[list[int]] = []
        for row in rows.tolist():
            planned = sampler.plan(row, None, rng)
            query = self.corpus.candidate(row).features
            for block in planned.blocks:
                candidate = None
                if block.candidate is not None:
                    features = self.corpus.candidate(block.candidate).features
                    facts = shown_facts(sampler.records[block.candidate], planned.question)
                    candidate = reader.candidate(features, *facts)
                prompt = reader.writer.beside(query, planned.question, candidate)
                shown.append(prompt)
                answers.append(reader.writer.answer(block.answer.strip(), complete=block.complete))
                hidden.append(_hidden(prompt, block.hidden_share, rng))
        log_prob = self.tuned.answer_log_prob(shown, answers, hidden)
        count = sum(map(len, answers))
        return {"loss": -log_prob.sum() / count, "tokens": torch.tensor(float(count))}


def _hidden(row: Row, share: float, rng: np.random.Generator) -> list[int]:
    """Places of the query's image tokens that a row may not see."""
    if share <= 0:
        return []
    token = row.ids[row.starts[0]]
    places = [place for place, each in enumerate(row.ids) if each == token]
    places = places[: len(row.images[0].features)]
    return [place for place in places if rng.random() < share]
