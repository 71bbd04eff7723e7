"""Configuration of the localizer: its training, and its tuning with rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jomed_app.config.settings import Section, setting


@dataclass(frozen=True, slots=True)
class LocalizerTrainingConfig(Section):
    """The localizers (part of the stage `reader`).

    Attributes:
        image_size: side of the input, px, a multiple of 32.
        stride: of the map that both read-outs see, px.
        simulated_steps, steps: optimizer steps on simulated cases, then on the mixture.
        batch_size: images per step; lr: peak learning rate.
        stage_factor: learning-rate factor of the tower's later stages.
        weight_decay: of AdamW.
        simulated_share: share of simulated cases in the mixture.
        views: views kept per real image, the first one unchanged; simulated_views: per simulated
            one.
        average: decay per step of the running mean of the weights; 0 keeps none.
        sigma: width of an edge's bell, bins.
        seed: of batches, views and initial weights.
    """

    image_size: int = setting(320, low=32, high=1024)
    stride: Literal["8", "16"] = "16"
    simulated_steps: int = setting(200, low=0)
    steps: int = setting(800, low=1)
    batch_size: int = setting(8, low=1)
    lr: float = setting(7e-4, low=1e-8, high=1.0)
    stage_factor: float = setting(0.2, low=0.0, high=10.0)
    weight_decay: float = setting(0.05, low=0.0, high=1.0)
    simulated_share: float = setting(0.0, low=0.0, high=0.9)
    views: int = setting(12, low=1, high=64)
    simulated_views: int = setting(1, low=1, high=64)
    average: float = setting(0.98, low=0.0, high=0.9999)
    sigma: float = setting(1.0, low=0.1, high=16.0)
    seed: int = setting(0, low=0)


@dataclass(frozen=True, slots=True)
class RewardTuningConfig(Section):
    """Tuning with rewards after supervised training (stage `rewards`).

    Attributes:
        algorithm: a value network (`ppo`), or responses to a query against each other (`group`).
        rollouts: responses sampled per query; `group` needs 2 or more. They cost no forward of
            their own where one forward names every token, and few of them only add noise.
        temperature: of sampling; the policy that is tuned is the tempered one. Below 1 it is nearer
            to the most probable box, which is the one that is shown.
        clip: largest change of a token's ratio that pays.
        kl_weight: of the KL to the policy that tuning started from.
        entropy_weight: of the tokens' entropy, which is maximized.
        value_weight: of the value loss (`ppo`).
        critic_lr_factor: learning-rate factor of the value network, which starts from nothing.
        average: decay per step of the running mean of the weights; 0 keeps none.
        relevance_weight, localization_weight, vision_weight: of the three rewards.
        relevance: what naming a class earns: a match alone, or a match less the probability with
            which the class was named, so that what is learned is to be sure rightly.
        hit_share: share of the localization reward that asks for IoU 0.5 alone, in [0, 1].
        reward_floor: least divisor where a reward is divided by its largest value.
        credit: what a location token of `group` is credited with: its whole response's reward, or
            its box's alone, since its class token does not depend on it.
        scale_advantages: whether `group` divides by the deviation of a query's rewards.
        steps: batches of rollouts; updates: optimizer steps per batch.
        batch_size: queries per batch; lr: peak learning rate.
        views: most of the localizer's kept views that queries are drawn from.
        policies: tuned from the same start, with seeds from `seed` on, and averaged.
        start_share: share of the start in what is kept, in [0, 1]; 0 keeps the average alone.
        seed: of batches, rollouts and the value network.
        ship: whether folds are read with, and the bundle carries, the tuned localizers.
    """

    algorithm: Literal["ppo", "group"] = "ppo"  # arXiv:2501.01377
    rollouts: int = setting(64, low=1, high=1024)  # ours: measured, docs/adr/0006
    temperature: float = setting(0.5, low=0.05, high=10.0)  # ours: measured, docs/adr/0006
    clip: float = setting(0.2, low=1e-3, high=10.0)  # arXiv:1707.06347
    kl_weight: float = setting(0.02, low=0.0)  # ours
    entropy_weight: float = setting(0.0, low=0.0)  # ours
    value_weight: float = setting(0.5, low=0.0)  # ours
    critic_lr_factor: float = setting(10.0, low=0.0)  # ours
    average: float = setting(0.99, low=0.0, high=0.9999)  # ours
    relevance_weight: float = setting(1.0, low=0.0)  # arXiv:2501.01377: all three are 1
    localization_weight: float = setting(1.0, low=0.0)  # arXiv:2501.01377
    vision_weight: float = setting(1.0, low=0.0)  # arXiv:2501.01377
    relevance: Literal["match", "proper"] = "proper"  # ours: measured, docs/adr/0006
    hit_share: float = setting(0.0, low=0.0, high=1.0)  # ours
    reward_floor: float = setting(0.1, low=1e-6, high=1.0)  # ours: or a near miss looks perfect
    credit: Literal["response", "token"] = "token"  # ours: less noise, the same direction
    scale_advantages: bool = True  # arXiv:2402.03300
    steps: int = setting(150, low=1)  # ours
    updates: int = setting(1, low=1, high=64)  # ours
    batch_size: int = setting(32, low=1)  # ours
    lr: float = setting(3e-4, low=1e-8, high=1.0)  # ours
    views: int = setting(3, low=1, high=64)  # ours: to see six took as long as to tune
    seed: int = setting(0, low=0)
    policies: int = setting(2, low=1, high=16)  # arXiv:2406.16768
    start_share: float = setting(0.5, low=0.0, high=1.0)  # arXiv:2406.16768
    ship: bool = False
