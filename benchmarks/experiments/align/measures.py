"""How well images and descriptions are aligned, and what the tower's features are worth.

Three views on one tower: finding the partner across modalities (recall), telling labels apart by a
linear probe and by neighbors (grouped folds), answering questions from frozen features. Every
figure is kept case by case, so that two runs can be compared in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from jomed_app.training.heads import fit_linear_head

RECALL_DEPTHS = (1, 5, 10)
PROBE_NEIGHBORS = 10
SAME_TEXT = 1 - 1e-5

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


def partner_ranks(queries: FloatArray, keys: FloatArray, texts: FloatArray) -> NDArray[np.int64]:
    """Rank of every query's partner, 1 is best; cases worded alike are partners of each other.

    Args:
        queries: (N, D) unit rows.
        keys: (N, D) unit rows; row i is the partner of query i.
        texts: (N, T) unit rows of the encoded descriptions, to find those that are equal.

    Returns:
        (N,) one plus the number of keys, worded differently, that score higher.
    """
    scores = queries @ keys.T
    own = np.diagonal(scores)[:, None]
    differs = texts @ texts.T < SAME_TEXT
    return np.asarray(1 + ((scores > own) & differs).sum(1), dtype=np.int64)


def recall_hits(image: FloatArray, text: FloatArray, encoded: FloatArray) -> dict[str, BoolArray]:
    """Return `recall@k` -> (2 N,) whether the partner is among the first k, both directions."""
    ranks = np.concatenate(
        [partner_ranks(image, text, encoded), partner_ranks(text, image, encoded)]
    )
    return {f"recall@{depth}": ranks <= depth for depth in RECALL_DEPTHS}


def probe_hits(
    features: FloatArray, labels: NDArray[np.intp], folds: NDArray[np.int64]
) -> dict[str, BoolArray]:
    """Return `probe` and `knn` -> (N,) whether the label was told right out of fold.

    Args:
        features: (N, F) pooled tower features.
        labels: (N,) label indexes.
        folds: (N,) fold of every case; groups are not torn.
    """
    hits = {"probe": np.zeros(len(labels), dtype=np.bool_)}
    hits["knn"] = hits["probe"].copy()
    for fold in np.unique(folds):
        held, seen = folds == fold, folds != fold
        head = fit_linear_head(features[seen], labels[seen])
        hits["probe"][held] = head.log_prob(features[held]).argmax(1) == labels[held]
        mean, scale = features[seen].mean(0), features[seen].std(0) + 1e-6
        rows = (features - mean) / scale
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        near = np.argsort(-(rows[held] @ rows[seen].T), axis=1)[:, :PROBE_NEIGHBORS]
        votes = np.stack(
            [np.bincount(row, minlength=labels.max() + 1) for row in labels[seen][near]]
        )
        hits["knn"][held] = votes.argmax(1) == labels[held]
    return hits


def question_hits(
    features: Tensor,
    questions: Tensor,
    answers: Sequence[str],
    is_training: BoolArray,
    *,
    seed: int = 0,
    steps: int = 300,
) -> BoolArray:
    """Answer questions about images from frozen features; return which held-out ones are right.

    A product of projected image and question goes into one layer over the answers seen in
    training; an answer never seen there counts as wrong.

    Args:
        features: (Q, F) pooled features of each question's image.
        questions: (Q, T) encoded questions.
        answers: Q reference answers.
        is_training: (Q,) which questions are learned from.
        seed: of weights and batches.
        steps: optimizer steps.

    Returns:
        (held-out questions,) exact matches.
    """
    words = [answer.strip().lower() for answer in answers]
    known = sorted({word for word, seen in zip(words, is_training, strict=True) if seen})
    place = {word: number for number, word in enumerate(known)}
    target = torch.tensor([place.get(word, -1) for word in words])
    train = torch.from_numpy(np.flatnonzero(is_training))
    held = torch.from_numpy(np.flatnonzero(~is_training))
    mean, scale = features[train].mean(0), features[train].std(0) + 1e-6
    images = (features - mean) / scale
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _QuestionHead(images.shape[1], questions.shape[1], len(known))
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
        for _ in range(steps):
            rows = train[torch.randint(len(train), (256,))]
            loss = functional.cross_entropy(model(images[rows], questions[rows]), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        said = model(images[held], questions[held]).argmax(1)
    return np.asarray((said == target[held]).numpy(), dtype=np.bool_)


class _QuestionHead(nn.Module):
    def __init__(self, image_size: int, question_size: int, num_answers: int) -> None:
        super().__init__()
        self.image = nn.Linear(image_size, 256)
        self.question = nn.Linear(question_size, 256)
        self.dropout = nn.Dropout(0.3)
        self.answer = nn.Linear(512, num_answers)

    def forward(self, image: Tensor, question: Tensor) -> Tensor:
        """(B, image_size), (B, question_size) -> (B, num_answers) logits."""
        asked = torch.tanh(self.question(question * 10))
        seen = torch.tanh(self.image(image))
        logits: Tensor = self.answer(self.dropout(torch.cat([asked * seen, asked], dim=1)))
        return logits
