"""The stages by name, in the order in which `train all` runs them."""

from __future__ import annotations

from collections.abc import Callable

from jomed_app.evaluation.vqa_held_out import tune_and_measure
from jomed_app.training.retriever_stage import retriever_stage
from jomed_app.training.rewards_stage import rewards_stage
from jomed_app.training.stages import align_stage, reader_stage

STAGES: dict[str, Callable[..., None]] = {
    "align": align_stage,
    "reader": reader_stage,
    "rewards": rewards_stage,
    "retriever": retriever_stage,
    "questions": tune_and_measure,
}
APART = "questions"  # of other tasks than the rest: never part of `all`
READ_AFTER = frozenset({"reader", "rewards", "retriever"})  # the folds' answers change with these


def stages_of(name: str) -> dict[str, Callable[..., None]]:
    """One stage, or with "all" every one in order."""
    if name != "all":
        return {name: STAGES[name]}
    return {each: run for each, run in STAGES.items() if each != APART}
