"""Rows as a model's forward takes them: padded, with positions, masks and images seen before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from jomed_app.models.reader.vlm.images import ImageEncoder, SeenImage
from jomed_app.models.reader.vlm.rows import Row, RowWriter

IGNORED = -100  # a label that the loss passes over


class InputBuilder:
    """Builds a model's inputs on the model's device.

    Args:
        encoder: knows the model and how images are handed over.
        writer: knows the ids.
    """

    def __init__(self, encoder: ImageEncoder, writer: RowWriter) -> None:
        self.encoder = encoder
        self.writer = writer
        self.family = writer.family
        inner: Any = encoder.model.model
        self._rope_index = getattr(inner, "get_rope_index", None)

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self.encoder.model.device

    def padded(
        self,
        rows: Sequence[Row],
        answers: Sequence[Sequence[int]] = (),
        side: Literal["left", "right"] = "right",
    ) -> dict[str, Any]:
        """Inputs of rows side by side; with answers, labels cover the answers alone.

        Ours: positions are always given; models that make their own forget them, or keep what the
        last call left behind.

        Args:
            rows: R rows.
            answers: of each row, or of none.
            side: where padding goes.
        """
        said = [list(answer) for answer in answers] or [[] for _ in rows]
        full = [row.ids + answer for row, answer in zip(rows, said, strict=True)]
        images = [image for row in rows for image in row.images]
        ids = self._pad(full, self.writer.pad_id, side)
        mask = self._pad([[1] * len(each) for each in full], 0, side)
        is_image = ids == self.writer.image_token_id
        inputs: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": self._positions(ids, mask, is_image, images),
            **self.encoder.handed_over(images),
        }
        if (name := self.family.type_ids) and images:
            inputs[name] = is_image.long()
            if self.family.reads_both_ways:  # there it marks the answer
                marks = [[0] * len(r.ids) + [1] * len(a) for r, a in zip(rows, said, strict=True)]
                inputs[name] = self._pad(marks, 1, side)
        if any(said):
            labels = [[IGNORED] * len(r.ids) + a for r, a in zip(rows, said, strict=True)]
            inputs["labels"] = self._pad(labels, IGNORED, side)
        return inputs

    def _positions(
        self, ids: Tensor, mask: Tensor, is_image: Tensor, images: Sequence[SeenImage]
    ) -> Tensor:
        """(R, T), or (3, R, T) where a model counts in three axes (Qwen)."""
        if self._rope_index is None:
            return (mask.cumsum(-1) - 1).clamp(min=0) + self.family.first_position
        patches = [image.patches for image in images if image.patches is not None]
        positions: Tensor = self._rope_index(
            input_ids=ids,
            mm_token_type_ids=is_image.int(),
            image_grid_thw=torch.cat(patches) if patches else None,
            attention_mask=mask,
        )[0]
        return positions

    def _pad(
        self, lists: Sequence[Sequence[int]], value: int, side: Literal["left", "right"]
    ) -> Tensor:
        rows = [torch.tensor(each, dtype=torch.long) for each in lists]
        return pad_sequence(rows, True, value, side).to(self.device)
