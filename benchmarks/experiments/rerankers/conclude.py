"""Closing the oracle gap: rerankers and other ways to use the same candidates, side by side.

All of them see what `reader` and `joint_reader` see: the answers beside each candidate. Everything
that is fitted is fitted on the other parts of the held-out cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.rerankers.rerank import answers_beside, fit_usefulness, rerank
from jomed_app.evaluation.folds.readings import PLAIN, FoldReadings
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.report.scores import CaseScores, SystemScores
from jomed_app.inference.conclusion.aggregate import candidate_log_weights, marginalize

REFERENCE = "even"  # every candidate counts alike, found by the frozen retriever
JOINT = "joint_"
ENSEMBLE = "joint_ensemble"


def conclude_in_every_way(read: FoldReadings) -> list[CaseScores]:
    """Conclude every held-out case in every way.

    Systems: `even` (equal weights), the rerankers, `useful` (weighed by the usefulness head), the
    same with candidates of the trained heads (`joint_...`), and `joint_ensemble` (`joint_useful`
    averaged over the seeds of the heads).
    """
    seeds = sum(PLAIN.joint(seed) in read.raw for seed in range(len(read.raw)))
    names = [PLAIN.name, *(PLAIN.joint(seed) for seed in range(seeds))]
    labels = read.view.labels
    cases = []
    for part in range(len(read.parts)):
        answered = [_answers(read, name, part, labels) for name in names]
        for row in sorted(read.of_part(PLAIN.name, part)):
            systems = dict(answered[0][row])
            if seeds:
                systems |= {JOINT + key: said for key, said in answered[1][row].items()}
                useful = [each[row]["useful"] for each in answered[1:]]
                systems[ENSEMBLE] = SystemScores(
                    np.mean([said.probabilities for said in useful], axis=0)
                )
            record = read.table.records[row]
            cases.append(
                CaseScores(record.case_id, str(read.view.groups[row]), int(labels[row]), systems)
            )
    return cases


def comparisons_of(systems: Sequence[str]) -> list[tuple[str, str]]:
    """Every system against equal weights of the frozen retriever's candidates."""
    return [(name, REFERENCE) for name in systems if name != REFERENCE]


def _answers(
    read: FoldReadings, name: str, part: int, labels: NDArray[np.intp]
) -> dict[int, Mapping[str, SystemScores]]:
    others = read.of_others(name, part)
    head = fit_usefulness(list(others.values()), labels[list(others)])
    return {
        row: {REFERENCE: _even(case), **rerank(case), "useful": head.answer(case)}
        for row, case in read.of_part(name, part).items()
    }


def _even(case: HeldOutCase) -> SystemScores:
    weights = candidate_log_weights(np.zeros(len(answers_beside(case))))
    return SystemScores(
        probabilities=np.exp(marginalize(weights, answers_beside(case))),
        candidate_probabilities=np.exp(answers_beside(case)),
        weights=np.exp(weights),
        candidate_labels=case.labels,
    )
