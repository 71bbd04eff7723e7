"""Stage 3, localize: the tower's later stages learn to find, on a larger input.

The start maps of a few random views per image are computed once, through what stays of a tower;
then the later stages and both read-outs train on them. Like the reader they learn on simulated
cases first, then per fold on real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from jomed_app.config.localizer import LocalizerTrainingConfig
from jomed_app.models.localizer.dense_head import cell_centers
from jomed_app.models.localizer.localizer import Localizer, LocalizerOutput
from jomed_app.models.number_type import autocast, compute_dtype
from jomed_app.objectives.boxes.dense_boxes import dense_loss
from jomed_app.objectives.boxes.edges import edge_loss
from jomed_app.progress import OnProgress
from jomed_app.training.localizer.kept_views import Part, draw_batch
from jomed_app.training.run.device import training_device
from jomed_app.training.run.loop import CPU, LoopSettings, no_progress, run_loop

LABEL_SMOOTHING = 0.05
# Ours: weights of the losses; those of the dense head follow arXiv:2006.04388 (2 and 0.25)
LOSS_WEIGHTS = {"score": 1.0, "giou": 2.0, "spread": 0.25, "kind": 0.2, "edges": 1.0, "label": 0.5}


def localizer_loss(
    said: LocalizerOutput, boxes: Tensor, labels: Tensor, *, reach: float, sigma: float = 1.0
) -> dict[str, Tensor]:
    """Join the losses of both read-outs; "loss" is their weighted sum.

    Args:
        said: by the localizer.
        boxes: (B, K, 4) XYXY on the unit square, largest first, NaN for none; the queries are
            taught the first one, the dense head all.
        labels: (B,).
        reach: longest distance of the dense head.
        sigma: width of an edge's bell, bins.
    """
    cells = round(said.dense.scores.shape[1] ** 0.5)
    centers = cell_centers(cells, cells).to(boxes.device)
    terms = dense_loss(
        said.dense.scores,
        said.dense.distance_logits,
        said.dense.class_logits,
        said.dense.boxes,
        centers,
        boxes,
        labels,
        reach=reach,
    )
    has_box = boxes[:, 0].isfinite().all(-1)
    terms["edges"] = edge_loss(said.edge_logits[has_box], boxes[has_box, 0], sigma=sigma)
    terms["label"] = functional.cross_entropy(
        said.class_logits, labels, label_smoothing=LABEL_SMOOTHING
    )
    weighted = [LOSS_WEIGHTS[name] * value for name, value in terms.items()]
    return {"loss": torch.stack(weighted).sum(), **terms}


def train_localizer(
    localizer: Localizer,
    parts: Sequence[Part],
    config: LocalizerTrainingConfig,
    out: Path,
    *,
    steps: int,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Train in place; at the end the weights are their running mean.

    Args:
        localizer: fresh with a tower's stages, or trained on simulated cases.
        parts: what batches are made of.
        config: batch, rates and seed.
        out: checkpoint folder.
        steps: optimizer steps.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    device = training_device()
    localizer.to(device)  # type: ignore[arg-type]
    localizer.to(memory_format=torch.channels_last)  # type: ignore[call-arg]
    localizer.train()

    def step_loss(step: int) -> Mapping[str, Tensor]:
        torch.manual_seed(config.seed * 1_000_003 + step)  # of the dropout
        maps, boxes, labels = draw_batch(parts, config.batch_size, config.seed, step)
        with autocast(device):
            said = localizer(maps.to(device, compute_dtype()))
        boxes, labels = boxes.to(device), labels.to(device)
        return localizer_loss(said, boxes, labels, reach=localizer.config.reach, sigma=config.sigma)

    history = run_loop(
        {name: part for name, part in localizer.named_children() if name != "early"},
        step_loss,
        LoopSettings(
            steps,
            config.lr,
            weight_decay=config.weight_decay,
            clip_norm=5.0,
            checkpoint_every=200,
            average=config.average,
        ),
        out,
        resume=resume,
        on_progress=on_progress,
        lr_factors={"stages": config.stage_factor},
        device=device,
    )
    localizer.to(CPU)  # type: ignore[arg-type]
    localizer.eval()  # type: ignore[no-untyped-call]
    return history
