"""Aligning a large reader: its projector tells descriptions, then projector and adapter do.

In the second stage, graphs of images and texts are matched beside it.
Source: LoGra-Med, arXiv:2410.02615: stage 1 trains the projector by the language loss, stage 2
projector and language model by language loss plus alpha times the graph loss. Ours: the language
part learns in an adapter; both stages learn from the same triples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from jomed_app.config.projector import ProjectorTrainingConfig
from jomed_app.config.training import GraphConfig
from jomed_app.data.wording.prompts import DESCRIBE_QUESTION
from jomed_app.errors import ConfigError
from jomed_app.models.reader.protocol import RgbImage
from jomed_app.models.reader.vlm.images import SeenImage
from jomed_app.models.reader.vlm.lora import TunedReader
from jomed_app.models.reader.vlm.projector import projector_copies, projector_names
from jomed_app.objectives.logra_med.graph_alignment import GraphAlignment
from jomed_app.progress import OnProgress
from jomed_app.training.align.losses import build_graph_alignment
from jomed_app.training.align.vlm.nodes import image_nodes, text_nodes
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop

WARMUP = 0.03  # arXiv:2410.02615, authors' code


@dataclass(frozen=True, slots=True)
class Triple:
    """What belongs together.

    Attributes:
        image: gives (rows, columns, 3) uint8 when it is needed.
        description: told word for word; extended: a longer wording of it.
    """

    image: Callable[[], RgbImage]
    description: str
    extended: str


class Alignment:
    """Both stages over one reader.

    Args:
        tuned: whose adapter holds the projector whole (`projector_names`); in place, copies of a
            model in 16 bits are held in fp32.
        triples: to learn from, `batch_size` or more.
        config: see `ProjectorTrainingConfig`.
        graph: how graphs are built and matched.

    Raises:
        ConfigError: if there are fewer triples than a batch holds.
    """

    def __init__(
        self,
        tuned: TunedReader,
        triples: Sequence[Triple],
        config: ProjectorTrainingConfig,
        graph: GraphConfig,
    ) -> None:
        if len(triples) < config.batch_size:
            raise ConfigError(
                f"aligning requires align.batch_size = {config.batch_size} triples or more, found "
                f"{len(triples)}; lower it"
            )
        projector_copies(tuned.model, projector_names(tuned.model))
        self.tuned = tuned
        self.triples = triples
        self.config = config
        self.graph = graph

    def train_projector(
        self, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
    ) -> list[dict[str, float]]:
        """Stage 1: the projector learns to tell descriptions; nothing else of the model moves.

        Returns:
            The log of the steps run now; `language` is the loss, nats per token.
        """
        frozen = self._adapter_weights()
        for weight in frozen:
            weight.requires_grad_(False)
        try:
            return self._run(
                {"reader": self.tuned.model},
                lambda number: self._terms(number, None),
                self.config.projector_steps,
                self.config.projector_lr,
                out,
                resume,
                on_progress,
            )
        finally:
            for weight in frozen:
                weight.requires_grad_(True)

    def train_both(
        self, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
    ) -> list[dict[str, float]]:
        """Stage 2: projector and adapter learn by the language loss and the graph loss.

        Returns:
            The log of the steps run now: `language` (nats per token), `graph` and `hamming`, the
            mean distance of the matchings from the truth, in [0, 2].
        """
        torch.manual_seed(self.config.seed)
        text = self.tuned.reader.model.config.get_text_config()
        matching = build_graph_alignment(int(text.hidden_size), self.graph)
        return self._run(
            {"reader": self.tuned.model, "graph": matching.to(self.tuned.reader.inputs.device)},
            lambda number: self._terms(number, matching),
            self.config.steps,
            self.config.lr,
            out,
            resume,
            on_progress,
        )

    def _run(
        self,
        modules: Mapping[str, nn.Module],
        step_loss: Callable[[int], Mapping[str, Tensor]],
        steps: int,
        lr: float,
        out: Path,
        resume: bool,
        on_progress: OnProgress,
    ) -> list[dict[str, float]]:
        self.tuned.learn()
        history = run_loop(
            modules,
            step_loss,
            LoopSettings(
                steps,
                lr,
                warmup=WARMUP,
                weight_decay=0.0,
                checkpoint_every=self.config.checkpoint_every,
                batches_per_step=self.config.batches_per_step,
            ),
            out,
            resume=resume,
            on_progress=on_progress,
            device=None,
        )
        self.tuned.rest()
        return history

    def _terms(self, number: int, matching: GraphAlignment | None) -> dict[str, Tensor]:
        """The losses of a batch; all of its randomness, dropout's too, derives from its number."""
        torch.manual_seed(self.config.seed * 1_000_003 + number)
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + number)
        rows = torch.randperm(len(self.triples), generator=generator)[: self.config.batch_size]
        batch = [self.triples[row] for row in rows.tolist()]
        reader = self.tuned.reader
        images = [reader.encoder.see(each.image()) for each in batch]
        told = self._language(images, [each.description for each in batch])
        if matching is None:
            return {"loss": told, "language": told}
        texts = [[each.description for each in batch]]
        if self.config.use_extended:
            texts.append([each.extended for each in batch])
        nodes = [text_nodes(reader.inputs, [self._ids(each)[0] for each in one]) for one in texts]
        graph, hamming = matching([image_nodes(images), *nodes], generator)
        loss = told + self.config.graph_weight * graph
        return {"loss": loss, "language": told, "graph": graph, "hamming": hamming}

    def _language(self, images: Sequence[SeenImage], descriptions: Sequence[str]) -> Tensor:
        """Mean negative log-likelihood of the descriptions' tokens, nats."""
        writer = self.tuned.reader.writer
        rows = [writer.question(image, DESCRIBE_QUESTION) for image in images]
        answers = []
        for text in descriptions:
            ids, complete = self._ids(text)
            answers.append([*ids, writer.end_id] if complete else ids)
        log_prob = self.tuned.answer_log_prob(rows, answers)
        return -log_prob.sum() / sum(map(len, answers))

    def _ids(self, text: str) -> tuple[list[int], bool]:
        """A text's first tokens, and whether they are all."""
        writer = self.tuned.reader.writer
        ids = writer.answer(writer.plain(text))
        return ids[: self.config.max_tokens], len(ids) <= self.config.max_tokens

    def _adapter_weights(self) -> list[nn.Parameter]:
        """What learns of the language part."""
        return [
            weight
            for name, weight in self.tuned.model.named_parameters()
            if weight.requires_grad and ".modules_to_save." not in name
        ]
