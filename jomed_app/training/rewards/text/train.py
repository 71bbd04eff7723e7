"""Tuning a reader's adapter on its own answers: sample, reward, move towards the better ones.

Source: UMed-LVLM, arXiv:2501.01377: supervised answers with boxes, then PPO with rewards for
relevance, localization and vision relevance. Ours: see `objectives.umed.ppo`; values are told from
hidden states that the value loss does not change, token by token; a critic-free form beside PPO
(arXiv:2402.03300).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from jomed_app.config.text_rewards import TextRewardsConfig
from jomed_app.errors import ConfigError
from jomed_app.objectives.umed.ppo import (
    clipped_surrogate,
    generalized_advantages,
    group_relative_advantages,
    kl_to_reference,
    masked_mean,
    value_loss,
)
from jomed_app.objectives.umed.rewards import Judge
from jomed_app.progress import OnProgress
from jomed_app.training.rewards.text.by_trl import tune_by_trl
from jomed_app.training.rewards.text.case import RewardedCase
from jomed_app.training.rewards.text.critic import Critic
from jomed_app.training.rewards.text.policy import Prompt, TextPolicy, TextTokens
from jomed_app.training.rewards.text.reward_answers import AnswerJudge, AnswerRewards
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop, trainable_state

CHECKPOINT_BATCHES = 20


@dataclass(frozen=True, slots=True)
class _Collected:
    """Answers to one query and what stays constant while they are learned from."""

    number: int
    case: int
    answers: list[list[int]]
    rewards: AnswerRewards
    old_log_prob: Tensor
    reference_log_prob: Tensor
    advantages: Tensor
    returns: Tensor


def tune_on_text(
    policy: TextPolicy,
    cases: Sequence[RewardedCase],
    config: TextRewardsConfig,
    out: Path,
    *,
    judge: Judge | None = None,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Tune a reader in place on the answers that it writes.

    Args:
        policy: the reader and the question; as it is after the supervised steps, it is also the
            reference that the KL holds on to.
        cases: to draw from.
        config: see `TextRewardsConfig`.
        out: folder of the checkpoints.
        judge: compares words; None takes equality.
        resume: continue from its checkpoints.
        on_progress: called after every optimizer step.

    Returns:
        The log of the reward steps run now: `reward` and each reward by its name (means over
        answers), `unreadable` (share of answers), `kl` and `entropy` per token (nats),
        `clip_fraction`, the mean `tokens` of an answer, and the loss.

    Raises:
        ConfigError: if there are fewer than two rollouts and no value network, there is no case,
            or `trl` is not here, cannot resume or does not know the family.
    """
    if config.algorithm != "ppo" and config.rollouts < 2:
        raise ConfigError(
            f"the algorithm '{config.algorithm}' requires 2 rollouts or more, found "
            f"{config.rollouts}"
        )
    if not cases:
        raise ConfigError("tuning with rewards requires one case or more, found none")
    if config.algorithm == "trl" and resume:
        raise ConfigError(
            "train_rewards.algorithm = 'trl' keeps no checkpoint to resume from; run it anew "
            "without --resume, or take 'group'"
        )
    if config.warm_steps:
        learn_answers(policy, cases, config, out / "warm", resume=resume, on_progress=on_progress)
    worth = AnswerJudge(policy, config.weights, config.reward_floor, judge)
    if config.algorithm == "trl":
        return tune_by_trl(policy, cases, worth, config, out / "trl", on_progress=on_progress)
    torch.manual_seed(config.seed)
    tuning = _Tuning(policy, cases, worth, config)
    history = run_loop(
        tuning.modules,
        tuning.step_loss,
        LoopSettings(
            config.steps * config.updates,
            config.lr,
            weight_decay=0.0,
            checkpoint_every=CHECKPOINT_BATCHES * config.updates,
            batches_per_step=config.batch_size,
        ),
        out / "tuned",
        resume=resume,
        on_progress=on_progress,
        lr_factors={"critic": config.critic_lr_factor},
        device=None,
    )
    policy.rest()
    return history


def learn_answers(
    policy: TextPolicy,
    cases: Sequence[RewardedCase],
    config: TextRewardsConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Supervised steps on the true answers.

    Source: arXiv:2501.01377, stage 1. Cases with a finding whose box was never drawn teach their
    label alone, without an end.

    Returns:
        The log of the steps run now; see `tune_on_text` for the arguments.
    """

    def step_loss(number: int) -> dict[str, Tensor]:
        case = cases[_drawn(config.seed, number, len(cases))]
        prompt = policy.prompt(case.image())
        policy.learn()
        found = policy.tokens(prompt, [policy.true_answer(prompt, case)], temperature=1.0)
        return {"loss": -masked_mean(found.log_prob, found.keep_mask)}

    torch.manual_seed(config.seed)
    history = run_loop(
        {"reader": policy.model},
        step_loss,
        LoopSettings(
            config.warm_steps,
            config.warm_lr,
            weight_decay=0.0,
            batches_per_step=config.batch_size,
        ),
        out,
        resume=resume,
        on_progress=on_progress,
        device=None,
    )
    policy.rest()
    return history


def _drawn(seed: int, number: int, count: int) -> int:
    """The case of a batch: every one once, in an order of its own, before any comes again."""
    epoch, place = divmod(number, count)
    return int(np.random.default_rng([seed, 7, epoch]).permutation(count)[place])


class _Tuning:
    """The state of the reward steps: the reference, and the answers that are learned from."""

    def __init__(
        self,
        policy: TextPolicy,
        cases: Sequence[RewardedCase],
        worth: AnswerJudge,
        config: TextRewardsConfig,
    ) -> None:
        self.policy = policy
        self.cases = cases
        self.worth = worth
        self.config = config
        self.learned = trainable_state({"reader": policy.model})
        self.reference = {name: value.detach().clone() for name, value in self.learned.items()}
        self.modules: dict[str, nn.Module] = {"reader": policy.model}
        self.critic: Critic | None = None
        if config.algorithm == "ppo":
            self.critic = Critic(policy.width).to(policy.device)
            self.modules["critic"] = self.critic
        self._held: dict[int, _Collected] = {}

    def step_loss(self, number: int) -> dict[str, Tensor]:
        """The loss of one query's answers; they are sampled anew every `updates` steps."""
        config = self.config
        share, own = divmod(number, config.steps * config.updates)
        batch = share * config.steps + own // config.updates
        held = self._held.get(share)
        if held is None or held.number != batch:
            held = self._held[share] = self._collect(batch)
        prompt = self.policy.prompt(self.cases[held.case].image())
        self.policy.learn()
        return self._loss_terms(self.policy.tokens(prompt, held.answers), held)

    @torch.no_grad()
    def _collect(self, number: int) -> _Collected:
        """Sample, reward and compare the answers to a query; randomness derives from its number."""
        config = self.config
        generator = torch.Generator().manual_seed(
            int(np.random.default_rng([config.seed, number, 17]).integers(2**62))
        )
        case = _drawn(config.seed, number, len(self.cases))
        self.policy.rest()
        prompt = self.policy.prompt(self.cases[case].image())
        answers = self.policy.sample(prompt, config.rollouts, generator)
        rewards = self.worth.rewards(prompt, answers, self.cases[case].truth)
        old = self.policy.tokens(prompt, answers)
        values = torch.zeros_like(old.log_prob) if self.critic is None else self.critic(old.hidden)
        advantages, returns = self._advantages(rewards.total.to(values), values, old.keep_mask)
        return _Collected(
            number,
            case,
            answers,
            rewards,
            old.log_prob,
            self._reference_log_prob(prompt, answers),
            advantages,
            returns,
        )

    def _advantages(self, total: Tensor, values: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """Advantages and returns (G, R) of tokens; the reward is paid at the last one."""
        if self.critic is None:
            of_answers = group_relative_advantages(total[None], scale=self.config.scale_advantages)[
                0
            ]
            return of_answers[:, None].expand_as(values), total[:, None].expand_as(values)
        last = keep.sum(-1, keepdim=True) - 1
        paid = torch.zeros_like(values).scatter(-1, last, total[:, None])
        return generalized_advantages(paid, values, keep, decay=self.config.decay)

    def _reference_log_prob(self, prompt: Prompt, answers: list[list[int]]) -> Tensor:
        """The same tokens under the reader that tuning started from."""
        now = {name: value.detach().clone() for name, value in self.learned.items()}
        try:
            _put(self.learned, self.reference)
            return self.policy.tokens(prompt, answers).log_prob
        finally:
            _put(self.learned, now)

    def _loss_terms(self, found: TextTokens, held: _Collected) -> dict[str, Tensor]:
        config, keep = self.config, found.keep_mask
        surrogate = clipped_surrogate(
            found.log_prob, held.old_log_prob, held.advantages, keep, clip=config.clip
        )
        kl = masked_mean(kl_to_reference(found.log_prob, held.reference_log_prob), keep)
        entropy = masked_mean(found.entropy, keep)
        loss = config.kl_weight * kl - config.entropy_weight * entropy - surrogate.value
        terms = {"kl": kl, "entropy": entropy, "clip_fraction": surrogate.clip_fraction}
        if self.critic is not None:
            fit = value_loss(self.critic(found.hidden)[keep], held.returns[keep])
            loss = loss + config.value_weight * fit
            terms["value_loss"] = fit
        terms |= {name: each.mean() for name, each in held.rewards.earned.items()}
        if len(held.rewards.unreadable):
            terms["unreadable"] = held.rewards.unreadable.mean()
        terms["tokens"] = keep.sum(-1).float().mean()
        return {"loss": loss, **terms, "reward": held.rewards.total.mean()}


@torch.no_grad()
def _put(state: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for name, value in state.items():
        value.copy_(values[name])
