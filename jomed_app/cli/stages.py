"""The stages by name, in the order in which `train all` runs them."""

from __future__ import annotations

from collections.abc import Callable

from jomed_app.config.load import JomedConfig
from jomed_app.evaluation.questions.held_out import tune_and_measure
from jomed_app.training.align.stage import align_stage
from jomed_app.training.reader.stage import reader_stage
from jomed_app.training.retriever.stage import retriever_stage
from jomed_app.training.rewards.stage import rewards_stage

STAGES: dict[str, Callable[..., None]] = {
    "align": align_stage,
    "reader": reader_stage,
    "rewards": rewards_stage,
    "retriever": retriever_stage,
    "questions": tune_and_measure,
}
APART = "questions"  # of other tasks than the rest: never part of `all`
READ_AFTER = frozenset({"reader", "rewards", "retriever"})  # the folds' answers change with these


def stages_of(name: str, config: JomedConfig) -> dict[str, Callable[..., None]]:
    """One stage, or with "all", in order, every one that the bundle is made of.

    Rewards that are not shipped (`train_rewards.ship`) are run by their own name alone.
    """
    if name != "all":
        return {name: STAGES[name]}
    apart = {APART} if config.train_rewards.ship else {APART, "rewards"}
    return {each: run for each, run in STAGES.items() if each not in apart}
