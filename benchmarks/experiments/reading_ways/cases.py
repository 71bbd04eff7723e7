"""What a job tunes on and reads, and what it keeps of every case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.conclusion.aggregate import marginalize
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.conclusion.evidence import MOST_NEIGHBORS, Evidence
from jomed_app.progress import OnProgress
from jomed_app.retrieval.search import find_candidates
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.training.run.workspace import groups_of

FOLD = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One reader to tune and measure.

    Attributes:
        task: of the run; way: a file in `benchmarks/experiments/reading_ways/options`.
        fraction: share of the training cases that are asked about and known as candidates.
        held_out: class that is never tuned on, or empty.
        seed: of the share, of tuning and of the random candidates.
    """

    task: str
    way: str
    fraction: float
    held_out: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its file."""
        held_out = self.held_out.replace(" ", "_") or "none"
        return f"{self.task}-{self.way}-{self.fraction}-{held_out}-{self.seed}"


def thinned_groups(
    records: Sequence[CaseRecord], rows: NDArray[np.int64], fraction: float, seed: int
) -> NDArray[np.int64]:
    """Rows of a share of the groups, drawn label by label, at least one group of each.

    Args:
        records: the case table.
        rows: (R,) of it.
        fraction: share of the groups, in (0, 1]; a smaller share is a part of a larger one.
        seed: of the draw.

    Returns:
        Rows in the order given; no group is torn.
    """
    names = groups_of(records)
    label_of: dict[str, str] = {}
    for row in rows.tolist():
        label_of.setdefault(names[row], records[row].label)
    rng = np.random.default_rng([seed, 23])
    kept: set[str] = set()
    for label in sorted(set(label_of.values())):
        members = [group for group, each in label_of.items() if each == label]
        count = max(1, round(fraction * len(members)))
        kept |= {members[place] for place in rng.permutation(len(members))[:count]}
    return np.array([row for row in rows.tolist() if names[row] in kept], dtype=np.int64)


def drawn_cases(
    records: Sequence[CaseRecord], rows: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """At most so many rows, whole groups by one draw for all jobs, so that they can be paired."""
    names = np.asarray(groups_of(records))[rows]
    chosen = np.zeros(len(rows), dtype=np.bool_)
    for group in np.random.default_rng(29).permutation(np.unique(names)):
        if chosen.sum() + (names == group).sum() <= most:
            chosen |= names == group
    return rows[chosen]


def limited_tables(table: ReaderTable, job: Job) -> tuple[ReaderTable, ReaderTable]:
    """The table that a job tunes on, and the one it reads: the latter knows the held-out class."""
    known = thinned_groups(table.records, table.training_rows(FOLD), job.fraction, job.seed)
    is_known = np.isin(table.real, known) | (table.folds == FOLD)
    read = replace(table, real=table.real[is_known], folds=table.folds[is_known])
    is_out = np.array([record.label == job.held_out for record in table.records], dtype=np.bool_)
    is_tuned = (read.folds == FOLD) | ~is_out[read.real]
    tuned = replace(
        read,
        real=read.real[is_tuned],
        folds=read.folds[is_tuned],
        simulated=read.simulated[~is_out[read.simulated]],
    )
    return tuned, read


def find_all(
    corpus: FoldCorpus, row: int, k_per_head: int, rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Candidates of a case by system: found, drawn at random, nearest of another class."""
    vectors = corpus.query(corpus.table.features[row], corpus.projections, trained=False)
    ids, groups = corpus.left_out(row)
    truth = {corpus.table.records[row].label}
    found = [
        hit.candidate_id for hit in find_candidates(corpus.view, vectors, k_per_head, ids, groups)
    ]
    misled = corpus.view.search(vectors["image"], "image", len(found), ids, groups, truth)
    drawn = rng.choice(corpus.view.others(ids, groups), size=len(found), replace=False)
    beside = {
        "rag": found,
        "random_candidates": drawn.tolist(),
        "adversarial_candidates": [hit.candidate_id for hit in misled],
    }
    return {name: np.array(corpus.rows(each), dtype=np.int64) for name, each in beside.items()}


def label_with_vote(
    log_prob: NDArray[np.float64], corpus: FoldCorpus, row: int, task: Task, held_out: str
) -> int:
    """The label that wins when the nearest known cases vote for a class that only they have.

    Args:
        log_prob: (C,) of the reader, marginalized, nats.
        corpus: the known cases.
        row: of the case.
        task: order of the labels.
        held_out: the class that nothing was tuned on.
    """
    vectors = corpus.query(corpus.table.features[row], corpus.projections, trained=False)
    near = corpus.view.search(vectors["image"], "image", MOST_NEIGHBORS, *corpus.left_out(row))
    evidence = Evidence(
        alone=log_prob,
        neighbor_scores=np.array([hit.retriever_score for hit in near]),
        neighbor_labels=corpus.labels([hit.candidate_id for hit in near], task.labels),
        is_new=np.array([label == held_out for label in task.labels]),
    )
    return int(conclude(evidence, Profile()).log_prob.argmax())


def read_cases(
    reader: TableReader,
    corpus: FoldCorpus,
    rows: NDArray[np.int64],
    k_per_head: int,
    seed: int,
    on_progress: OnProgress,
    held_out: str = "",
) -> list[dict[str, Any]]:
    """Read cases in every way; candidates count alike, nothing but the reader is asked.

    With a held-out class, `voted` says whether the answer is right where the vote speaks for it.
    """
    task, records = reader.cases.task, corpus.table.records
    groups = groups_of(records)
    found = []
    for done, row in enumerate(rows.tolist(), start=1):
        rng = np.random.default_rng([seed, row])
        beside = find_all(corpus, row, k_per_head, rng)
        inputs = [reader.candidate(each) for part in beside.values() for each in part.tolist()]
        case = reader.cases.read(reader.query(row), task.question, inputs)
        ends = np.cumsum([len(part) for part in beside.values()])
        parts = dict(zip(beside, np.split(case.log_prob, ends[:-1]), strict=True))
        truth = task.labels.index(records[row].label)
        said = {name: int(marginalize(np.zeros(len(p)), p).argmax()) for name, p in parts.items()}
        said["no_retrieval"] = int(case.alone_log_prob.argmax())
        alone = parts["rag"].argmax(-1)
        agreeing = [records[each].label == records[row].label for each in beside["rag"].tolist()]
        voted = {}
        if held_out:
            marginal = marginalize(np.zeros(len(parts["rag"])), parts["rag"])
            voted["voted"] = int(label_with_vote(marginal, corpus, row, task, held_out) == truth)
        found.append(
            {
                "case": records[row].case_id,
                "group": groups[row],
                "label": records[row].label,
                "said": task.labels[said["rag"]],
                **{name: int(index == truth) for name, index in said.items()},
                **voted,
                "inconsistent": int(len(set(alone.tolist())) > 1),
                "oracle": int(truth in alone.tolist()),
                "variance": float(np.var(parts["rag"][:, truth])),
                "agreement": float(np.mean(agreeing)),
            }
        )
        on_progress(done, len(rows))
    return found
