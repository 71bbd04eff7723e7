"""A frozen reader at the case table: rows go in as queries and candidates, encoded once each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from jomed_app.data.tasks import Task
from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.adapters import merge_lora
from jomed_app.models.number_type import compute_dtype
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.packed_rows import ImageEncoding
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.run.workspace import Workspace


class TableReader:
    """Reads rows of a case table.

    Args:
        reader: frozen.
        task: what is asked.
        table: the cases.
    """

    def __init__(self, reader: PackedReader, task: Task, table: ReaderTable) -> None:
        self.reader = reader
        self.cases = CaseReader(reader, task)
        self.table = table
        self._candidates: dict[int, CandidateInput] = {}

    def query(self, row: int) -> ImageEncoding:
        """A case as the query."""
        return self.encode(self.table.tokens[row])

    def candidate(self, row: int) -> CandidateInput:
        """A case as a candidate, with its label and passage."""
        if row not in self._candidates:
            record = self.table.records[row]
            self._candidates[row] = self.reader.candidate(
                self.query(row), record.label, record.passage
            )
        return self._candidates[row]

    @torch.inference_mode()
    def encode(self, tokens: Tensor) -> ImageEncoding:
        """Project an image's tokens (T, C)."""
        projector = self.reader.model.model.multi_modal_projector
        features: Tensor = projector(tokens.to(next(projector.parameters()).dtype))
        return ImageEncoding(tokens, features.to(self.reader.dtype))


def frozen_reader(work: Workspace, name: str) -> PackedReader:
    """A tuned reader with its adapters merged, laid out for answers; nothing learns."""
    return freeze_reader(*work.trainable_reader(work.chosen_reader(name)))


def freeze_reader(reader: PackedReader, adapted: nn.Module) -> PackedReader:
    """Merge a tuned reader's adapters and lay it out for answers; it learns no more."""
    merge_lora(adapted)
    reader.model.to(compute_dtype())  # type: ignore[arg-type]
    reader.model.requires_grad_(False)
    reader.prepare()
    return reader
