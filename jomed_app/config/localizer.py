"""Configuration of the localizer: its training, and its tuning with rewards."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jomed_app.config.section import Section


class LocalizerTrainingConfig(Section):
    """The localizers (part of the stage `reader`).

    Attributes:
        image_size: side of the input, px, a multiple of the tower's coarsest stride: 32
            (EfficientNet-Lite0) or 14 (DINOv2-S).
        stride: of the map that both read-outs see, px: 8 or 16, or with DINOv2-S 7 or 14.
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

    image_size: int = Field(default=320, ge=28, le=1024)
    stride: int = Field(default=16, ge=7, le=16, strict=False)  # older bundles: a text
    simulated_steps: int = Field(default=200, ge=0)
    steps: int = Field(default=800, ge=1)
    batch_size: int = Field(default=8, ge=1)
    lr: float = Field(default=7e-4, ge=1e-8, le=1.0)
    stage_factor: float = Field(default=0.2, ge=0.0, le=10.0)
    weight_decay: float = Field(default=0.05, ge=0.0, le=1.0)
    simulated_share: float = Field(default=0.0, ge=0.0, le=0.9)
    views: int = Field(default=12, ge=1, le=64)
    simulated_views: int = Field(default=1, ge=1, le=64)
    average: float = Field(default=0.98, ge=0.0, le=0.9999)
    sigma: float = Field(default=1.0, ge=0.1, le=16.0)
    seed: int = Field(default=0, ge=0)


class RewardTuningConfig(Section):
    """Tuning with rewards after supervised training (stage `rewards`).

    All but `tunes` and `ship` is of the localizers; a reader's own is the section
    `train_text_rewards`.

    Attributes:
        tunes: the localizers' queries, or the readers themselves on the text that they write.
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
        relevance_weight, localization_weight, vision_weight: of the rewards in
            `objectives/umed/rewards.py`.
        relevance: what naming a class earns: a match alone, or a match less the probability with
            which the class was named, so that what is learned is to be sure rightly.
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
        ship: whether folds are read with, and the bundle carries, what was tuned.
    """

    tunes: Literal["localizer", "reader"] = "localizer"
    algorithm: Literal["ppo", "group"] = "ppo"  # arXiv:2501.01377
    rollouts: int = Field(default=64, ge=1, le=1024)  # ours: measured, docs/adr/0006
    temperature: float = Field(default=0.5, ge=0.05, le=10.0)  # ours: measured, docs/adr/0006
    clip: float = Field(default=0.2, ge=1e-3, le=10.0)  # arXiv:1707.06347
    kl_weight: float = Field(default=0.02, ge=0.0)  # ours
    entropy_weight: float = Field(default=0.0, ge=0.0)  # ours
    value_weight: float = Field(default=0.5, ge=0.0)  # ours
    critic_lr_factor: float = Field(default=10.0, ge=0.0)  # ours
    average: float = Field(default=0.99, ge=0.0, le=0.9999)  # ours
    relevance_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2501.01377: all three are 1
    localization_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2501.01377
    vision_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2501.01377
    relevance: Literal["match", "proper"] = "proper"  # ours: measured, docs/adr/0006
    reward_floor: float = Field(default=0.1, ge=1e-6, le=1.0)  # ours: or a near miss looks perfect
    credit: Literal["response", "token"] = "token"  # ours: less noise, the same direction
    scale_advantages: bool = True  # arXiv:2402.03300
    steps: int = Field(default=150, ge=1)  # ours
    updates: int = Field(default=1, ge=1, le=64)  # ours
    batch_size: int = Field(default=32, ge=1)  # ours
    lr: float = Field(default=3e-4, ge=1e-8, le=1.0)  # ours
    views: int = Field(default=3, ge=1, le=64)  # ours: to see six took as long as to tune
    seed: int = Field(default=0, ge=0)
    policies: int = Field(default=2, ge=1, le=16)  # arXiv:2406.16768
    start_share: float = Field(default=0.5, ge=0.0, le=1.0)  # arXiv:2406.16768
    ship: bool = False

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every reward, by its name."""
        return {
            "relevance": self.relevance_weight,
            "localization": self.localization_weight,
            "vision": self.vision_weight,
        }
