"""Images with questions, of several sets: their tokens, their nearest known images, their sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.data.corpus import load_corpus
from jomed_app.data.licences import without_noncommercial
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import load_task
from jomed_app.data.twins import have_twins
from jomed_app.errors import ConfigError
from jomed_app.inference.candidate_cache import CandidateCache
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.packed_rows import ImageEncoding
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.retrieval.corpus_view import CorpusView
from jomed_app.retrieval.question_search import QuestionCorpus, Shortlist
from jomed_app.training.cases.image_set import ImageSet, join_images, load_images
from jomed_app.training.cases.tower_tokens import embed_tokens, encode_corpus_tokens
from jomed_app.training.run.workspace import Workspace


@dataclass(frozen=True, slots=True)
class QuestionTable:
    """All images of some open tasks, each encoded once.

    Attributes:
        records: one per image, with its questions.
        tasks: name of the task that each image belongs to.
        tokens: (N, T, C) tokens of the tower.
        embeddings: (N, D) unit rows of the image head.
        training: rows that may be trained on and be candidates; held_out: rows that are measured.
        has_twin: (N,) whether a held-out image has a near-duplicate among its task's training
            images, False for all others; None where nobody looked.
    """

    records: Sequence[CaseRecord]
    tasks: Sequence[str]
    tokens: Tensor
    embeddings: NDArray[np.float32]
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    has_twin: NDArray[np.bool_] | None = None
    known: QuestionCorpus = field(init=False)
    row_of: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        records = [self.records[int(row)] for row in self.training]
        view = CorpusView.of_vectors("known", records, {"image": self.embeddings[self.training]})
        object.__setattr__(self, "known", QuestionCorpus(view))
        rows = {self.records[int(row)].case_id: int(row) for row in self.training}
        object.__setattr__(self, "row_of", rows)

    def shortlist(self, row: int, moved: NDArray[np.float32] | None = None) -> Shortlist:
        """Training images alike one image, its own group left out.

        Args:
            row: the image.
            moved: (D,) the image's query vector by a trained head; None takes its own embedding.
        """
        record = self.records[row]
        return self.known.shortlist(
            self.embeddings[row] if moved is None else moved,
            {record.case_id},
            {record.group} if record.group else (),
        )

    def near(self, row: int, question: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rank the training images for a question about one image, its own group left out.

        Returns:
            Rows, the best first, and their scores (`retrieval.question_search`).
        """
        ranked = self.known.rank(self.shortlist(row), question)
        return np.array([self.row_of[each] for each in ranked.ids], dtype=np.int64), ranked.scores

    def encoding(self, reader: PackedReader, row: int) -> ImageEncoding:
        """One image as a reader sees it, by its present projector."""
        tokens = self.tokens[row].to(reader.dtype)
        projector = reader.model.model.multi_modal_projector
        weight = next(projector.parameters())
        return ImageEncoding(tokens, projector(tokens.to(weight.dtype)).to(reader.dtype))

    def passage(self, row: int, question: str) -> str:
        """What a training image answers to the questions most like this one."""
        return self.known.passage(self.records[row].case_id, question)

    def candidate(self, reader: PackedReader, row: int, question: str) -> CandidateInput:
        """A training image as a candidate for a question."""
        return reader.candidate(
            self.encoding(reader, row), self.records[row].label, self.passage(row, question)
        )

    def candidates(self, reader: PackedReader) -> CandidateCache:
        """The training images as a reader takes them, before a question gives them a passage."""

        def encode(ids: Sequence[str]) -> list[ImageEncoding]:
            return [self.encoding(reader, self.row_of[each]) for each in ids]

        return CandidateCache(reader, self.known.corpus, encode)


def load_question_table(work: Workspace, reader: PackedReader) -> QuestionTable:
    """Read the configured open tasks and encode their images once, without views.

    Raises:
        ConfigError: if no data root is given, or a task is not open.
        RecordError: if a set is not there.
    """
    settings = work.config.train_questions
    if not settings.data:
        raise ConfigError(
            "train_questions.data must be the root of the public sets, found none; set it"
        )
    parts, names = [], []
    for name in settings.tasks:
        task = load_task(name)
        if not task.is_open:
            raise ConfigError(f"train_questions.tasks must be open tasks, '{name}' has labels")
        folder, records = load_corpus(task, Path(settings.data), ("train", "val"))
        asked = [record for record in records if record.questions]
        if not work.config.data.noncommercial:
            asked = without_noncommercial(asked)
        parts.append(load_images(folder, asked, work.config.tower.image_size))
        names += [task.name] * len(asked)
    images = join_images(*parts)
    tokens = encode_corpus_tokens(reader, images, work.features)
    sides = np.array([record.split for record in images.records])
    return QuestionTable(
        images.records,
        names,
        tokens,
        embed_images(work.projections(), reader, tokens),
        np.flatnonzero(sides == "train"),
        np.flatnonzero(sides == "val"),
        mark_twins(images, names),
    )


def mark_twins(images: ImageSet, tasks: Sequence[str]) -> NDArray[np.bool_]:
    """Return (N,) whether a held-out image has a near-duplicate among its task's training images.

    Ours: official splits part near-twin slices of one series, whose answers can be copied. An image
    of no held-out split is never marked.

    Args:
        images: N images of some tasks.
        tasks: N names.
    """
    sides = np.array([record.split for record in images.records])
    found = np.zeros(len(sides), dtype=bool)
    for name in dict.fromkeys(tasks):
        is_own = np.array(tasks) == name
        held_out, known = (
            np.flatnonzero(is_own & (sides == side)).tolist() for side in ("val", "train")
        )
        found[held_out] = have_twins(
            [_content(images, row) for row in held_out], [_content(images, row) for row in known]
        )
    return found


def _content(images: ImageSet, row: int) -> NDArray[np.uint8]:
    """An image without the margins of its square, which all images of its shape share."""
    record, square = images.records[row], images.squares[row]
    place = Letterbox(record.rows, record.columns, len(square))
    (width, height), (left, top) = place.size, place.offset
    return square[top : top + height, left : left + width]


def embed_images(
    projections: RetrieverProjections, reader: PackedReader, tokens: Tensor
) -> NDArray[np.float32]:
    """Unit rows (N, D) of the image head for (N, T, C) tokens."""
    return embed_tokens(projections, tokens.float(), reader.tower.config)
