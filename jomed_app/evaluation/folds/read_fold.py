"""Grouped cross-validation of the folds: every real case read by a reader that never saw it.

Candidates come from the other folds' real cases. A query's twins share its fold, so figures here
are without twins by construction. The settings a bundle carries (weight temperature, guidance,
scaling, conformal set, reliability) are fitted on these out-of-fold readings.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.data.tasks import Task
from jomed_app.evaluation.case_reading import Candidates, read_case
from jomed_app.evaluation.report.scores import CaseScores
from jomed_app.evaluation.systems import (
    NEIGHBORS,
    RawCase,
    ScoringSettings,
    conclude_systems,
    show_located,
)
from jomed_app.inference.case_reader import CaseReader
from jomed_app.models.heads import LinearHead
from jomed_app.models.reader.packed import CandidateInput, ImageEncoding, Reader
from jomed_app.models.retriever.embedded import HEADS, Head, pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.training.heads import fit_linear_head
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.workspace import Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TableView:
    """Arrays over the case table that scoring needs.

    Attributes:
        labels: (N,) label indexes; groups: (N,) names.
        features: (N, F) pooled tower features.
    """

    labels: NDArray[np.intp]
    groups: NDArray[np.str_]
    features: NDArray[np.float32]


def view_of(table: ReaderTable, task: Task, position_dim: int) -> TableView:
    """Derive the arrays once."""
    return TableView(
        np.array([task.labels.index(record.label) for record in table.records], dtype=np.intp),
        np.array([record.group or record.case_id for record in table.records]),
        pool_tokens(table.tokens, position_dim).numpy(),
    )


def read_fold(
    reader: Reader,
    work: Workspace,
    table: ReaderTable,
    fold: int,
    query_tokens: torch.Tensor,
    *,
    corpus: NDArray[np.int64] | None = None,
    asks_box: bool = False,
    misleads: bool = False,
    seed: int = 0,
    on_progress: OnProgress = no_progress,
) -> dict[int, RawCase]:
    """Read the held-out cases of one fold.

    Args:
        reader: tuned on the other folds.
        work: the run.
        table: its cases.
        fold: held out.
        query_tokens: (len(real), P, C) tokens of all real images, as they are or masked.
        corpus: rows that candidates and voters come from; None takes the other folds' real cases.
        asks_box: whether the reader says boxes of its own.
        misleads: whether it also answers beside the nearest candidates of another class.
        seed: of the random candidates.
        on_progress: called after every case.

    Returns:
        Row of the table -> what was read.
    """
    task = work.task
    position_dim = int(reader.model.config.vision_config.position_dim)
    view = view_of(table, task, position_dim)
    seen = table.training_rows(fold)
    corpus = seen if corpus is None else corpus
    head = fit_linear_head(view.features[seen], view.labels[seen])
    table_reader = TableReader(reader, task, table)
    case_reader = table_reader.cases
    rows = table.held_out_rows(fold)
    places = rows - table.real[0]
    tokens = query_tokens[places]
    pooled = pool_tokens(tokens, position_dim)
    projections = table.fold_projections(fold)
    with torch.no_grad():
        queries = {head: projections.embed_features(pooled, head).numpy() for head in HEADS}
        cases = {
            "image": projections.embed_features(table.features, "image").numpy(),
            "text": table.passages,
        }
    inputs = {int(row): table_reader.candidate(int(row)) for row in corpus}
    found: dict[int, RawCase] = {}
    for place, row in enumerate(rows):
        record = table.records[int(row)]
        allowed = corpus[view.groups[corpus] != view.groups[row]]
        found[int(row)] = _read(
            case_reader,
            table_reader.encode(tokens[place]),
            inputs,
            allowed,
            {name: cases[name][allowed] @ queries[name][place] for name in HEADS},
            view,
            int(view.labels[row]),
            _log_prob(head, pooled[place].numpy()),
            work.config.index.k_per_head,
            np.random.default_rng([seed, int(row)]),
            (record.rows, record.columns),
            asks_box,
            misleads,
        )
        on_progress(place + 1, len(rows))
    return found


def _read(
    reader: CaseReader,
    query: ImageEncoding,
    inputs: Mapping[int, CandidateInput],
    allowed: NDArray[np.int64],
    scores: Mapping[Head, NDArray[np.float32]],
    view: TableView,
    label: int,
    backbone: NDArray[np.float64],
    k_per_head: int,
    rng: np.random.Generator,
    size: tuple[int, int],
    asks_box: bool,
    misleads: bool,
) -> RawCase:
    places, relative, is_text = pick_per_head(scores, k_per_head)
    near = allowed[places]
    drawn = rng.choice(allowed, size=len(near), replace=False)
    other = np.flatnonzero(view.labels[allowed] != label)
    misled = None
    if misleads and len(other):
        found = pick_per_head({head: scores[head][other] for head in HEADS}, k_per_head)[0]
        misled = _counting_alike(inputs, allowed[other[found]], view)
    nearest = np.argsort(-scores["image"], kind="stable")[:NEIGHBORS]
    return read_case(
        reader,
        query,
        Candidates([inputs[int(row)] for row in near], view.labels[near], relative, is_text),
        _counting_alike(inputs, drawn, view),
        (view.labels[allowed[nearest]], scores["image"][nearest].astype(np.float64)),
        backbone,
        ScoringSettings(),
        size=size,
        asks_box=asks_box,
        adversarial=misled,
    )


def _counting_alike(
    inputs: Mapping[int, CandidateInput], rows: NDArray[np.int64], view: TableView
) -> Candidates:
    """Candidates that no search weighs."""
    return Candidates(
        [inputs[int(row)] for row in rows],
        view.labels[rows],
        np.ones(len(rows)),
        np.zeros(len(rows), dtype=np.bool_),
    )


def pick_per_head(
    scores: Mapping[Head, NDArray[np.float32]], k_per_head: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.bool_]]:
    """Pick 2 k candidates as `retrieval.search.find_candidates` does, from plain score arrays.

    Args:
        scores: head -> (N,) inner products.
        k_per_head: k; of fewer than 2 k, N >= 1, all are picked.

    Returns:
        Places (2k,), their head-normalized scores, and whether only the text head found them.
    """
    chosen: dict[int, tuple[float, bool]] = {}
    orders = {head: np.argsort(-scores[head], kind="stable") for head in HEADS}
    depth = k_per_head
    for head in HEADS:
        best = float(scores[head][orders[head][0]])
        for place in orders[head][:depth]:
            value = float(scores[head][place]) / best if best > 0 else 1.0
            if int(place) not in chosen:
                chosen[int(place)] = value, head == "text"
    best = float(scores["image"][orders["image"][0]])
    for place in orders["image"]:
        if len(chosen) >= 2 * k_per_head:
            break
        chosen.setdefault(int(place), (float(scores["image"][place]) / best, False))
    places = np.array(list(chosen), dtype=np.intp)
    relative = np.array([value for value, _ in chosen.values()], dtype=np.float64)
    return places, relative, np.array([text for _, text in chosen.values()], dtype=np.bool_)


def _log_prob(head: LinearHead, features: NDArray[np.float32]) -> NDArray[np.float64]:
    row: NDArray[np.float64] = head.log_prob(features[None])[0]
    return row


def to_case_scores(
    table: ReaderTable,
    view: TableView,
    raw: Mapping[int, RawCase],
    settings: ScoringSettings,
    *,
    empty: Sequence[int] = (),
    merge: Sequence[Sequence[int]] | None = None,
    has_boxes: bool = True,
) -> list[CaseScores]:
    """Conclude every case; with `merge`, labels are merged first (the two-class question).

    Args:
        table: the cases of the run.
        view: arrays over them.
        raw: row -> what was read.
        settings: weights and calibration.
        empty: indexes of the labels without a finding.
        merge: groups of label indexes that become one label each, in order.
        has_boxes: whether the task asks for boxes; without, no system is said to localize.
    """
    cases = []
    for row, each in sorted(raw.items()):
        record = table.records[row]
        label = int(view.labels[row])
        each = show_located(each, settings, empty)
        if merge is not None:
            each = merge_labels(each, merge)
            label = next(place for place, members in enumerate(merge) if label in members)
        systems = conclude_systems(each, settings)
        if not has_boxes:
            systems = {name: replace(said, boxes=None) for name, said in systems.items()}
        cases.append(
            CaseScores(
                case_id=record.case_id,
                group=str(view.groups[row]),
                label=label,
                systems=systems,
                boxes=tuple(record.box_list),
            )
        )
    return cases


def merge_labels(raw: RawCase, merge: Sequence[Sequence[int]]) -> RawCase:
    """Add up the probabilities of merged labels, row by row.

    What was read beside adversarial candidates is left out: of another class under the task's own
    labels, they may be of the query's class once labels are merged.
    """
    place_of = np.zeros(sum(map(len, merge)), dtype=np.intp)
    for place, members in enumerate(merge):
        place_of[list(members)] = place

    def joined(log_prob: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = [np.logaddexp.reduce(log_prob[..., list(members)], axis=-1) for members in merge]
        return np.stack(columns, axis=-1)

    return replace(
        raw,
        retrieved=joined(raw.retrieved),
        drawn=joined(raw.drawn),
        plain=joined(raw.plain),
        backbone=joined(raw.backbone),
        class_prob=tuple(sum(raw.class_prob[each] for each in members) for members in merge)
        if raw.class_prob
        else (),
        retrieved_labels=place_of[raw.retrieved_labels],
        drawn_labels=place_of[raw.drawn_labels],
        neighbor_labels=place_of[raw.neighbor_labels],
        adversarial=None,
        adversarial_labels=raw.adversarial_labels[:0],
    )
