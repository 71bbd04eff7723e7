"""Which rows the reader is tuned on: queries, their candidates, and what each row is asked.

The plain recipe (nearest candidates, same question) makes a reader that ignores its candidates.
Ours: part of the blocks hide query tokens, part carry random candidates, part compare ("same
diagnosis?"), part have no candidate at all, so that the candidate is worth reading and its
relevance must be judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.config.training import RowsConfig
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.data.wording.answers import Reading, answer_text
from jomed_app.data.wording.prompts import SAME_QUESTION
from jomed_app.models.reader.prompt_encoder import PromptEncoder
from jomed_app.training.reader.packing import Block

LABEL_WEIGHT = 3.0  # ours: the label is one token of a dozen, and the one that counts most
LOCATION_WEIGHT = 0.5
DESCRIPTOR_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates for a set of queries.

    Attributes:
        members: (M,) rows of the case table that may be candidates.
        neighbors: query row -> (N,) rows out of `members`, most similar first, own group left out.
    """

    members: NDArray[np.int64]
    neighbors: Mapping[int, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class PlannedBlock:
    """A block before it is put into tokens.

    Attributes:
        candidate: row of the candidate, or None.
        answer: what is answered; complete: whether it ends there.
        hidden_share: share of the query's image tokens that are hidden.
    """

    candidate: int | None
    answer: str
    complete: bool
    hidden_share: float = 0.0


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """One query with its question and blocks."""

    query: int
    question: str
    blocks: tuple[PlannedBlock, ...]


class RowSampler:
    """Draws what a training step reads.

    Args:
        task: labels, question and descriptors.
        records: the case table that all row numbers refer to.
        pools: named pools of candidates.
        shares: query row -> pool name -> probability that a block draws from it.
        config: shares of the kinds of blocks.
        location_bins: of the reader.
    """

    def __init__(
        self,
        task: Task,
        records: Sequence[CaseRecord],
        pools: Mapping[str, Pool],
        shares: Mapping[int, Mapping[str, float]],
        config: RowsConfig,
        location_bins: int = 64,
    ) -> None:
        self.location_bins = location_bins
        self.task = task
        self.records = records
        self.pools = pools
        self.shares = shares
        self.config = config

    def plan(self, query: int, box: Box | None, rng: np.random.Generator) -> PlannedQuery:
        """Draw the blocks of one query whose (augmented) box on the unit square is given."""
        shares = self.shares[query]
        pool = self.pools[str(rng.choice(list(shares), p=list(shares.values())))]
        if rng.random() < self.config.comparison_share:
            return self._comparison(query, pool, rng)
        record = self.records[query]
        reading = Reading(record.label, box, record.descriptors or None)
        text, complete = answer_text(self.task, reading, self.location_bins)
        blocks = [
            PlannedBlock(candidate, text, complete, hidden)
            for candidate, hidden in self._near_or_random(query, pool, rng)
        ]
        if rng.random() < self.config.plain_share:
            blocks.append(PlannedBlock(None, text, complete))
        return PlannedQuery(query, self.task.question, tuple(blocks))

    def _near_or_random(
        self, query: int, pool: Pool, rng: np.random.Generator
    ) -> list[tuple[int, float]]:
        """Candidates, and the share of the query's tokens that each may not see."""
        found = []
        near = pool.neighbors[query][: self.config.candidate_depth]
        for candidate in rng.permutation(near)[: self.config.num_candidates]:
            if rng.random() < self.config.random_share:
                candidate = self._other(query, pool, rng)
            hidden = 0.0
            if rng.random() < self.config.hidden_share:
                hidden = rng.uniform(self.config.query_dropout, 1.0)
            found.append((int(candidate), hidden))
        return found

    def _comparison(self, query: int, pool: Pool, rng: np.random.Generator) -> PlannedQuery:
        blocks = [
            PlannedBlock(candidate, " yes" if is_same else " no", True)
            for candidate, is_same in self._same_and_other(query, pool, rng)
        ]
        return PlannedQuery(query, SAME_QUESTION, tuple(blocks))

    def _same_and_other(
        self, query: int, pool: Pool, rng: np.random.Generator
    ) -> list[tuple[int, bool]]:
        """Candidates of the query's class and of others in turn, near ones where there are any."""
        label = self.records[query].label
        found = []
        order = pool.neighbors[query]
        near = order[: max(32, len(order) // 8)]
        for place in range(self.config.num_candidates):
            wanted = place % 2 == 0
            fitting = [row for row in near if (self.records[row].label == label) == wanted]
            if not fitting:
                fitting = [row for row in order if (self.records[row].label == label) == wanted]
            if fitting:
                found.append((int(rng.choice(fitting)), wanted))
        return found

    def _other(self, query: int, pool: Pool, rng: np.random.Generator) -> int:
        return int(rng.choice(pool.neighbors[query]))


def shown_facts(record: CaseRecord, question: str) -> tuple[str, str]:
    """Label and passage that a candidate is shown with.

    A comparison shows it without either, or the label would be the answer's half.
    """
    return ("unknown", "") if question == SAME_QUESTION else (record.label, record.passage)


def to_block(
    planned: PlannedBlock,
    question: str,
    records: Sequence[CaseRecord],
    prompts: PromptEncoder,
    location_ids: set[int],
    rng: np.random.Generator,
) -> Block:
    """Put a planned block into tokens.

    A block whose query is hidden is asked for the label only: what cannot be seen is not told.
    """
    if planned.candidate is None:
        prompt = prompts.no_candidate()
    else:
        prompt = prompts.candidate(*shown_facts(records[planned.candidate], question))
    answer = prompts.answer(planned.answer, planned.complete)
    label_length = len(prompts.answer(" " + planned.answer.replace("<", " <").split()[0]))
    weights = []
    for place, token in enumerate(answer):
        if place < label_length:
            weights.append(LABEL_WEIGHT)
        elif planned.hidden_share > 0:
            weights.append(0.0)
        elif token in location_ids:
            weights.append(LOCATION_WEIGHT)
        else:
            weights.append(DESCRIPTOR_WEIGHT)
    dropped: Tensor | None = None
    if planned.hidden_share > 0:
        query = torch.tensor(prompts.query(question))
        is_image = query == prompts.image_token_id
        drawn = torch.from_numpy(rng.random(len(query)) < planned.hidden_share)
        dropped = is_image & drawn
    return Block(prompt, answer, weights, dropped)
