"""Configuration of tuning a large reader with rewards on the text that it writes itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jomed_app.config.section import Section


class TextRewardsConfig(Section):
    """Tuning of a reader's adapter with rewards (stage `rewards`).

    Attributes:
        algorithm: a value network that is told every token's return (`ppo`), answers to a query
            against each other (`group`), or the same by TRL (`trl`), which is an extra: it keeps
            no checkpoint and knows the families of Qwen alone.
        warm_steps: supervised steps on the true answers first, so that there is a format to
            reward; 0 for a reader that writes it already.
        warm_lr: their peak learning rate.
        steps: batches of answers; updates: optimizer steps per batch.
        batch_size: queries per batch, read one after another; their gradients are averaged.
        rollouts: answers sampled per query, read side by side; `group` and `trl` need 2 or more.
        temperature: of sampling; the policy that is tuned is the tempered one.
        max_tokens: of an answer.
        lr: peak learning rate.
        clip: largest change of a token's ratio that pays.
        kl_weight: of the KL to the reader that tuning started from.
        entropy_weight: of the tokens' entropy, which is maximized.
        value_weight: of the value loss (`ppo`).
        critic_lr_factor: learning-rate factor of the value network, which starts from nothing.
        decay: lambda of the advantages (`ppo`).
        scale_advantages: whether `group` divides by the deviation of a query's rewards.
        relevance_weight, localization_weight, vision_weight: of the rewards in
            `objectives/umed/rewards.py`.
        reward_floor: least divisor where a reward is divided by its largest value.
        seed: of batches, answers and the value network.
    """

    algorithm: Literal["ppo", "group", "trl"] = "ppo"  # arXiv:2501.01377
    warm_steps: int = Field(default=200, ge=0)  # arXiv:2501.01377, stage 1; how many is ours
    warm_lr: float = Field(default=2e-4, ge=1e-8, le=1.0)  # ours: QLoRA's
    steps: int = Field(default=200, ge=1)  # ours
    updates: int = Field(default=1, ge=1, le=64)  # ours
    batch_size: int = Field(default=4, ge=1)  # ours
    rollouts: int = Field(default=8, ge=1, le=1024)  # ours
    temperature: float = Field(default=1.0, ge=0.05, le=10.0)  # ours
    max_tokens: int = Field(default=64, ge=1, le=1024)  # ours
    lr: float = Field(default=1e-5, ge=1e-8, le=1.0)  # ours
    clip: float = Field(default=0.2, ge=1e-3, le=10.0)  # arXiv:1707.06347
    kl_weight: float = Field(default=0.02, ge=0.0)  # ours
    entropy_weight: float = Field(default=0.0, ge=0.0)  # ours
    value_weight: float = Field(default=0.5, ge=0.0)  # ours
    critic_lr_factor: float = Field(default=10.0, ge=0.0)  # ours
    decay: float = Field(default=0.95, ge=0.0, le=1.0)  # arXiv:1506.02438
    scale_advantages: bool = True  # arXiv:2402.03300
    relevance_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2501.01377: all three are 1
    localization_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2501.01377
    vision_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2501.01377
    reward_floor: float = Field(default=0.1, ge=1e-6, le=1.0)  # ours: or a near miss looks perfect
    seed: int = Field(default=0, ge=0)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every reward, by its name."""
        return {
            "relevance": self.relevance_weight,
            "localization": self.localization_weight,
            "vision": self.vision_weight,
        }
