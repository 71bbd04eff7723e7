"""The embedded reader: packed rows, and how they go on in words, boxes and descriptors.

Source: arXiv:2508.17394 (one candidate per reading).
"""

from __future__ import annotations

from collections.abc import Mapping

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.models.reader.describing import Describer
from jomed_app.models.reader.greedy import greedy_ids
from jomed_app.models.reader.packed_rows import PackedRows, Reading
from jomed_app.models.reader.protocol import Description, FloatArray


class PackedReader(PackedRows):
    """A `Reader` that was tuned to describe; see `PackedRows` for its arguments."""

    def generate(self, reading: Reading, max_tokens: int) -> list[str]:
        """Let every row say its likeliest words; see `greedy_ids`."""
        return [
            str(self.tokenizer.decode(ids, skip_special_tokens=True))
            for ids in greedy_ids(self, reading, max_tokens)
        ]

    def describe(
        self,
        reading: Reading,
        task: Task,
        weights: FloatArray,
        label: int,
        *,
        box: Box | None = None,
        draft: Mapping[str, str] | None = None,
    ) -> Description:
        """Go on from a label; see `Describer`."""
        return Describer(self, task).describe(reading, weights, label, box=box, draft=draft)
