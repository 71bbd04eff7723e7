"""Several policies tuned from one start, averaged, and brought part of the way back to it.

Source: WARP, arXiv:2406.16768: rewarded policies are merged in weight space and interpolated
towards their start, which keeps what tuning gains and drops what it merely forgets.
Ours: a plain mean of few policies in place of a spherical one, and one round. On held-out lesions
a policy tuned to the end is no better than its start, one brought half of the way back is
(docs/results/rewards.md).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.models.localizer.localizer import Localizer
from jomed_app.progress import OnProgress
from jomed_app.training.rewards.policy import LocalizerPolicy
from jomed_app.training.rewards.reward_responses import ClassSet
from jomed_app.training.rewards.rollout import QuerySource
from jomed_app.training.rewards.train import tune_with_rewards
from jomed_app.training.run.loop import no_progress

State = dict[str, Tensor]


def tune_localizer(
    localizer: Localizer,
    queries: QuerySource,
    classes: ClassSet,
    config: RewardTuningConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[list[dict[str, float]]]:
    """Tune a localizer's queries in place, `policies` times from the same start, and merge.

    Args:
        localizer: supervised beforehand.
        queries: draws seen views of its training cases.
        classes: of the class token.
        config: `policies`, `start_share`, and how each is tuned; seeds count up from `seed`.
        out: checkpoint folder, one folder a policy, named by its seed.
        resume: continue from its checkpoints.
        on_progress: called after every optimizer step, over all policies.

    Returns:
        The log of each policy.
    """
    start = _copy(localizer.queries.state_dict())
    tuned: list[State] = []
    logs = []
    for number in range(config.policies):
        localizer.queries.load_state_dict(start)
        torch.manual_seed(config.seed + number)
        log = tune_with_rewards(
            LocalizerPolicy(localizer),
            queries,
            classes,
            config.replaced(seed=config.seed + number),
            out / f"policy{config.seed + number}",
            resume=resume,
            on_progress=on_progress,
        )
        logs.append(log)
        tuned.append(_copy(localizer.queries.state_dict()))
    localizer.queries.load_state_dict(merge_states(start, tuned, config.start_share))
    return logs


def merge_states(start: State, tuned: list[State], start_share: float) -> State:
    """Return start_share * start + (1 - start_share) * mean(tuned), weight by weight.

    Args:
        start: weights that all were tuned from.
        tuned: one or more, with the same names and shapes.
        start_share: in [0, 1].

    Raises:
        ValueError: if nothing was tuned.
    """
    if not tuned:
        raise ValueError("merging requires one tuned policy or more, found none")
    return {
        name: value.lerp(torch.stack([each[name] for each in tuned]).mean(0), 1 - start_share)
        for name, value in start.items()
    }


def _copy(state: State) -> State:
    return {name: value.detach().clone() for name, value in state.items()}
