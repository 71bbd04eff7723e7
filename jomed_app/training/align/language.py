"""Stage align, second part: the projector learns to word images for a frozen language model.

Source: LoGra-Med, arXiv:2410.02615, stage 2: language-model loss plus alpha times the graph loss
over mean projected patch tokens, description and extended description (means over the language
model's last hidden states). Ours: the language model stays frozen, so the texts' nodes are computed
once, and padding is not averaged in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from jomed_app.config.training import AlignConfig, GraphConfig
from jomed_app.data.wording.prompts import DESCRIBE_QUESTION
from jomed_app.models.number_type import autocast
from jomed_app.models.reader.feature_forward import call_hidden
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.prompt_encoder import pad_rows
from jomed_app.objectives.jomed.answers import answer_loss
from jomed_app.progress import OnProgress
from jomed_app.training.align.losses import build_graph_alignment, named_losses
from jomed_app.training.reader.packing import IGNORED, Block, pack
from jomed_app.training.run.device import training_device
from jomed_app.training.run.loop import CPU, LoopSettings, no_progress, run_loop

MAX_TOKENS = 64  # of a description that is learned word for word


@torch.no_grad()
def text_nodes(reader: PackedReader, texts: Sequence[str], batch_size: int = 32) -> Tensor:
    """Mean last hidden state (N, D) of every text alone, padding left out."""
    model = reader.model.model.language_model
    pad_id = int(reader.tokenizer.pad_token_id or 0)
    rows = []
    for start in range(0, len(texts), batch_size):
        prompts = [
            reader.prompts.answer(text)[: 2 * MAX_TOKENS] for text in texts[start:][:batch_size]
        ]
        batch = pad_rows(prompts, [[] for _ in prompts], pad_id)
        hidden = model(
            input_ids=batch.input_ids,
            attention_mask=batch.keep_mask.long(),
            position_ids=batch.position_ids,
            use_cache=False,
        ).last_hidden_state.float()
        keep = batch.keep_mask[..., None].float()
        rows.append((hidden * keep).sum(1) / keep.sum(1))
    return torch.cat(rows)


def train_projector(
    reader: PackedReader,
    tokens: Tensor,
    descriptions: Sequence[str],
    extended: Sequence[str],
    config: AlignConfig,
    graph: GraphConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Train the projector in place; tower and language model stay as they are.

    Args:
        reader: with a fresh projector.
        tokens: (N, T, C) tokens of the images.
        descriptions: N texts, each told word for word.
        extended: N longer texts, a graph of their own.
        config: steps, batch, rate, weight of the graph loss (left out unless `loss` names it).
        graph: how graphs are built and matched.
        out: checkpoint folder.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now; "language" and "graph" beside "loss".
    """
    torch.manual_seed(config.seed)
    model = reader.model
    model.eval().requires_grad_(False)
    projector = model.model.multi_modal_projector.float().requires_grad_(True)
    use_graph = "graph" in named_losses(config.loss)
    modules = {"projector": projector}
    if use_graph:
        texts = [descriptions, extended] if config.use_extended else [descriptions]
        nodes = [text_nodes(reader, each) for each in texts]
        alignment = build_graph_alignment(nodes[0].shape[1], graph)
        modules["alignment"] = alignment
    query = reader.prompts.query(DESCRIBE_QUESTION)
    prompt = reader.prompts.no_candidate()
    answers = [
        [*reader.prompts.answer(f" {text}")[:MAX_TOKENS], reader.prompts.end_id]
        for text in descriptions
    ]
    pad_id = int(reader.tokenizer.pad_token_id or 0)
    device = training_device()
    model.to(device)  # type: ignore[arg-type]

    def step_loss(step: int) -> Mapping[str, Tensor]:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        rows = torch.randperm(len(answers), generator=generator)[: config.language_batch]
        blocks = [[Block(prompt, answers[row], [1.0] * len(answers[row]))] for row in rows.tolist()]
        batch = pack([query] * len(rows), blocks, pad_id).to(device)
        features = projector(tokens[rows].to(device).float())
        with autocast(device):
            hidden = call_hidden(
                model, batch.input_ids, batch.attention, batch.position_ids, list(features)
            )
            asked = batch.targets != IGNORED
            logits = model.get_output_embeddings()(hidden[asked])
        told = answer_loss(
            logits,
            batch.targets[asked],
            batch.weights[asked],
            reader.location_ids.to(device),
        )
        terms = {"loss": told, "language": told}
        if use_graph:
            image = features.mean(1)
            terms["graph"], terms["hamming"] = alignment(
                [image, *(each[rows].to(device) for each in nodes)], generator
            )
            terms["loss"] = told + config.graph_weight * terms["graph"]
        return terms

    history = run_loop(
        modules,
        step_loss,
        LoopSettings(config.language_steps, config.language_lr, weight_decay=0.0, warmup=0.03),
        out,
        resume=resume,
        on_progress=on_progress,
        device=device,
    )
    model.to(CPU)  # type: ignore[arg-type]
    projector.requires_grad_(False)
    return history
