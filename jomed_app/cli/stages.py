"""The stages by name, in the order in which `train all` runs them."""

from __future__ import annotations

from collections.abc import Callable

from jomed_app.config.backbones import BackbonesConfig
from jomed_app.config.load import JomedConfig
from jomed_app.config.section import Section
from jomed_app.errors import ConfigError
from jomed_app.evaluation.questions.held_out import tune_and_measure
from jomed_app.training.align.stage import align_stage
from jomed_app.training.align.vlm.stage import named_align_stage
from jomed_app.training.reader.named_stage import named_reader_stage
from jomed_app.training.reader.stage import reader_stage
from jomed_app.training.retriever.named_stage import named_retriever_stage
from jomed_app.training.retriever.stage import retriever_stage
from jomed_app.training.rewards.stage import rewards_stage
from jomed_app.training.rewards.text.stage import named_rewards_stage

STAGES: dict[str, Callable[..., object]] = {
    "align": align_stage,
    "reader": reader_stage,
    "rewards": rewards_stage,
    "retriever": retriever_stage,
    "questions": tune_and_measure,
}
NAMED_STAGES: dict[str, Callable[..., object]] = {  # of models that a file names
    "align": named_align_stage,
    "reader": named_reader_stage,
    "rewards": named_rewards_stage,
    "retriever": named_retriever_stage,
}
NAMED_IN_ALL = ("reader", "retriever")  # JOMED's phases; the rest is run by its own name alone
APART = "questions"  # of other tasks than the rest: never part of `all`
READ_AFTER = frozenset({"reader", "rewards", "retriever"})  # the folds' answers change with these


def stages_of(name: str, config: Section) -> dict[str, Callable[..., object]]:
    """One stage, or with "all", in order, every one that the bundle is made of.

    What the configuration names decides: the embedded models, or those of a file. Of the embedded
    ones, rewards that are not shipped (`train_rewards.ship`) are run by their own name alone.

    Raises:
        ConfigError: if there is no such stage for these models.
    """
    if not isinstance(config, JomedConfig):
        return _named_stages_of(name, config)
    if name != "all":
        return {name: STAGES[name]}
    apart = {APART} if config.train_rewards.ship else {APART, "rewards"}
    return {each: run for each, run in STAGES.items() if each not in apart}


def _named_stages_of(name: str, config: Section) -> dict[str, Callable[..., object]]:
    """The same of models that a file names; a server's model is tuned where it runs."""
    known = NAMED_STAGES
    if not isinstance(config, BackbonesConfig):
        known = {"retriever": NAMED_STAGES["retriever"]}
    if name == "all":
        return {each: run for each, run in known.items() if each in NAMED_IN_ALL}
    if name not in known:
        raise ConfigError(
            f"of models that a file names, the stages are {', '.join(known)} and all, found "
            f"'{name}'; choose one of them"
        )
    return {name: known[name]}
