"""The grown index: what a system answers when more and more known cases stand beside it.

Nothing is trained: weights, settings and calibration stay; only cases are added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jomed_app.errors import ConfigError
from jomed_app.evaluation.report.schema import CurvePoint, EvaluationReport, GrownFigures
from jomed_app.retrieval.corpus_view import CorpusView

GROWN_SYSTEMS = ("image_alone", "no_retrieval", "knn", "reader", "rag", "joint_reader", "joint")
SEED = 41


def hidden_at(
    corpus: CorpusView, sizes: Sequence[int], seed: int = SEED
) -> dict[int, frozenset[str]]:
    """Choose the cases that are not yet in the index, for each of its sizes.

    Whole groups are added in one drawn order, so a smaller index is part of a larger one.

    Args:
        corpus: the whole index.
        sizes: cases wanted, each >= 1 and at most all; a group that begins below the size is whole.
        seed: of the order.

    Returns:
        Size -> ids that are left out.

    Raises:
        ConfigError: if a size is out of range.
    """
    ids = corpus.ids
    if wrong := [size for size in sizes if not 1 <= size <= len(ids)]:
        raise ConfigError(
            f"sizes of the index must lie between 1 and its {len(ids)} cases, found {wrong}"
        )
    members: dict[str, list[str]] = {}
    for each in ids:
        members.setdefault(corpus.candidate(each).group or each, []).append(each)
    names = sorted(members)
    order = [names[place] for place in np.random.default_rng([seed, 43]).permutation(len(names))]
    hidden = {}
    for size in sorted(set(sizes)):
        kept: set[str] = set()
        for name in order:
            if len(kept) >= size:
                break
            kept |= {*members[name]}
        hidden[size] = frozenset(ids) - kept
    return hidden


def curve_point(cases: int, report: EvaluationReport) -> CurvePoint:
    """One point of the learning curve, of a report on an index of so many cases."""
    return CurvePoint(
        cases=cases,
        systems={
            name: GrownFigures(
                accuracy=each.accuracy,
                accuracy_ci=each.accuracy_ci,
                balanced_accuracy=each.balanced_accuracy,
                auroc_macro=each.auroc_macro,
            )
            for name, each in report.systems.items()
        },
    )
