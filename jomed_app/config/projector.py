"""Configuration of aligning a large reader: its projector, then its adapter beside it."""

from __future__ import annotations

from pydantic import Field

from jomed_app.config.section import Section


class ProjectorTrainingConfig(Section):
    """Alignment of a large reader (stage `align`); the section `graph` sets the graph loss up.

    Attributes:
        projector_steps: steps of the projector alone, which learns to tell descriptions;
            projector_lr: their peak learning rate.
        steps: steps of projector and adapter together, by the same loss and the graph loss; 0
            leaves it at the projector. lr: their peak learning rate.
        batch_size: triples per batch, one graph; batches_per_step: whose gradients make a step.
        graph_weight: of the graph loss in the second part.
        use_extended: whether extended descriptions take part.
        max_tokens: of a description; longer ones are cut, and then taught without an end.
        checkpoint_every: steps between checkpoints.
        seed: of batches, noise and initial weights.
    """

    projector_steps: int = Field(default=400, ge=0)
    projector_lr: float = Field(default=2e-3, ge=1e-8, le=1.0)  # arXiv:2410.02615, stage 1
    steps: int = Field(default=400, ge=0)
    lr: float = Field(default=1e-4, ge=1e-8, le=1.0)  # ours: LoRA's; 2e-5 where all is tuned
    batch_size: int = Field(default=16, ge=2)  # arXiv:2410.02615, authors' code, of each GPU
    batches_per_step: int = Field(default=4, ge=1)  # authors' code: 64 triples a step
    graph_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2410.02615: alpha = 1 is best
    use_extended: bool = True
    max_tokens: int = Field(default=128, ge=1, le=2048)  # ours
    checkpoint_every: int = Field(default=50, ge=0)
    seed: int = Field(default=0, ge=0)
