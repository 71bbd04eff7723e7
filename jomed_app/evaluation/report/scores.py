"""What every system said of every case, and the same as arrays.

Letters in docstrings: N cases, K candidates, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.evaluation.held_out import Located
from jomed_app.evaluation.metrics import probabilities as metrics
from jomed_app.evaluation.metrics.intervals import Metric
from jomed_app.evaluation.report.schema import MetricName
from jomed_app.types import ConsistencyState


@dataclass(frozen=True, slots=True)
class SystemScores:
    """What one system said of one case.

    Attributes:
        probabilities: (C,) final p(label | query), sums to 1.
        candidate_probabilities: (K, C) p(label | query, candidate), or None without retrieval.
        weights: (K,) p(candidate | query), or None.
        candidate_labels: (K,) label indexes of the candidates, or None.
        boxes: px of the query image; empty for none found; None when it does not localize.
        is_parsed: whether the boxes could be read from the answer.
        state: the warning shown, or None.
        seconds: wall-clock of the case, or None.
        scored_boxes: boxes with their scores, whether shown or not; None when it scores none.
        heat_peak: (x, y) px where it looked most, or None.
    """

    probabilities: NDArray[np.float64]
    candidate_probabilities: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None
    candidate_labels: NDArray[np.intp] | None = None
    boxes: tuple[Box, ...] | None = None
    is_parsed: bool = True
    state: ConsistencyState | None = None
    seconds: float | None = None
    scored_boxes: tuple[tuple[Box, float], ...] | None = None
    heat_peak: tuple[float, float] | None = None

    def with_located(self, located: Located | None, seconds: float) -> SystemScores:
        """The same with the localizer's box, where it was asked, and the time of the case."""
        if located is None:
            return replace(self, seconds=seconds)
        boxes = () if located.box is None else (located.box,)
        return replace(
            self,
            boxes=boxes if located.is_shown else (),
            scored_boxes=tuple((box, located.score or 0.0) for box in boxes),
            heat_peak=located.heat_peak,
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True)
class CaseScores:
    """One test case: its truth, and what every system said of it.

    Attributes:
        case_id: unique in the split.
        group: cases of one group are drawn together in a bootstrap.
        label: true label index, in [0, C).
        systems: name -> scores; the same names for all cases.
        boxes: true boxes, px; empty for normal cases.
        is_clean: no near duplicate of the case stands in the corpus.
    """

    case_id: str
    group: str
    label: int
    systems: Mapping[str, SystemScores]
    boxes: tuple[Box, ...] = ()
    is_clean: bool = True


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """All cases as arrays, in case order.

    Attributes:
        cases: one or more, every one with the same systems.
        num_classes: C.
        positive: index of the class that AUROC is about.
        labels: (N,) true label indexes.

    Raises:
        ValueError: if there is no case, ids repeat, cases hold different systems, a row of
            probabilities does not fit C or a label lies outside [0, C).
    """

    cases: Sequence[CaseScores]
    num_classes: int
    positive: int
    labels: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        _check(self.cases, self.num_classes)
        object.__setattr__(self, "labels", np.array([case.label for case in self.cases], np.intp))

    @property
    def groups(self) -> list[str]:
        """The group of each case."""
        return [case.group for case in self.cases]

    @property
    def systems(self) -> list[str]:
        """Names of the systems, in the order of the first case."""
        return list(self.cases[0].systems)

    def of(self, system: str) -> list[SystemScores]:
        """Scores of one system, in case order."""
        return [case.systems[system] for case in self.cases]

    def probabilities(self, system: str) -> NDArray[np.float64]:
        """(N, C) final probabilities."""
        return np.array([scores.probabilities for scores in self.of(system)], dtype=np.float64)

    def is_correct(self, system: str) -> NDArray[np.bool_]:
        """(N,), True where the most likely class is the true one."""
        return np.asarray(self.probabilities(system).argmax(axis=1) == self.labels)

    def metric(self, system: str, name: MetricName, subset: NDArray[np.intp]) -> Metric:
        """Return one system's accuracy or auroc on positions within a subset of the cases."""
        if name == "accuracy":
            correct = self.is_correct(system)[subset]
            return lambda index: float(correct[index].mean())
        rows, labels = self.probabilities(system)[subset], self.labels[subset]
        return lambda index: metrics.binary_auroc(rows[index], labels[index], self.positive)


def with_shared_systems(cases: Sequence[CaseScores]) -> list[CaseScores]:
    """Keep the systems that every case holds; readings of different age hold different ones."""
    shared = set.intersection(*(set(case.systems) for case in cases)) if cases else set()
    return [
        replace(case, systems={name: case.systems[name] for name in case.systems if name in shared})
        for case in cases
    ]


def _check(cases: Sequence[CaseScores], num_classes: int) -> None:
    """Refuse cases that cannot be compared."""
    if not cases:
        raise ValueError("a report needs one case or more, found none")
    if len({case.case_id for case in cases}) < len(cases):
        raise ValueError("case ids must be unique in a report, found one twice; score a case once")
    systems = set(cases[0].systems)
    if not systems:
        raise ValueError("a report needs one system or more, found none")
    for position, case in enumerate(cases):
        if set(case.systems) != systems:
            raise ValueError(
                f"all cases must hold the systems {sorted(systems)}, case {position} holds "
                f"{sorted(case.systems)}; score it with all of them"
            )
        if not 0 <= case.label < num_classes:
            raise ValueError(
                f"labels must lie in [0, {num_classes}), case {position} has {case.label}"
            )
        for name, scores in case.systems.items():
            shapes = {np.shape(scores.probabilities)[-1:]}
            if scores.candidate_probabilities is not None:
                shapes.add(np.shape(scores.candidate_probabilities)[-1:])
            if shapes != {(num_classes,)}:
                raise ValueError(
                    f"probabilities must hold {num_classes} classes, system '{name}' has other "
                    f"shapes in case {position}"
                )
