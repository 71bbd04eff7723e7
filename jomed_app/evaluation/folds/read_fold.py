"""One held-out fold: every real case read by models that never saw it, beside what they may know.

Candidates come from the other folds' real cases, or from the embedded index's. A query's group
shares its fold, so it never stands beside itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from jomed_app.boxes import Box
from jomed_app.data.tasks import Task
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.read import Answers, Ask, ask_reader, read_case
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.case_reader import describe_shares
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.conclusion.evidence import Evidence
from jomed_app.models.heads import LinearHead
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.packed_rows import ImageEncoding
from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.models.towers.tokens import TokenShape, pool_tokens
from jomed_app.progress import OnProgress
from jomed_app.retrieval.search import find_candidates
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.table import ReaderTable
from jomed_app.training.cases.table_reader import TableReader
from jomed_app.training.heads import fit_linear_head
from jomed_app.training.retriever.answer_cache import AnswerCache, fill_cache
from jomed_app.training.run.loop import no_progress


@dataclass(frozen=True, slots=True)
class TableView:
    """Arrays over the case table.

    Attributes:
        labels: (N,) label indexes; groups: (N,) names.
        features: (N, F) pooled tower features.
    """

    labels: NDArray[np.intp]
    groups: NDArray[np.str_]
    features: NDArray[np.float32]


def view_of(table: ReaderTable, task: Task, shape: TokenShape) -> TableView:
    """Derive the arrays once."""
    return TableView(
        np.array([task.labels.index(record.label) for record in table.records], dtype=np.intp),
        np.array([record.group or record.case_id for record in table.records]),
        pool_tokens(table.tokens, shape).numpy(),
    )


def read_fold(
    reader: PackedReader,
    task: Task,
    corpus: FoldCorpus,
    fold: int,
    query_tokens: Tensor,
    view: TableView,
    k_per_head: int,
    *,
    asks_box: bool = False,
    misleads: bool = False,
    on_progress: OnProgress = no_progress,
) -> dict[int, HeldOutCase]:
    """Read the held-out cases of one fold by similarity alone.

    Args:
        reader: tuned on the other folds.
        task: what is asked.
        corpus: what is searched.
        fold: held out.
        query_tokens: (len(real), P, C) tokens of all real images, as they are or masked.
        view: arrays over the case table.
        k_per_head: hits per search.
        asks_box: whether the reader says boxes of its own.
        misleads: whether it also answers beside the nearest candidates of another class.
        on_progress: called after every case.

    Returns:
        Row of the table -> what was gathered.
    """
    table = corpus.table
    taught = table.taught_rows(fold)
    head = fit_linear_head(view.features[taught], view.labels[taught], num_labels=len(task.labels))
    table_reader = TableReader(reader, task, table)
    inputs = corpus.candidates(table_reader).inputs
    rows = table.held_out_rows(fold)
    tokens = query_tokens[rows - table.real[0]]
    pooled = pool_tokens(tokens, reader.tower.config)
    found: dict[int, HeldOutCase] = {}
    for place, row in enumerate(map(int, rows)):
        record, query = table.records[row], table_reader.encode(tokens[place])
        ids, groups = corpus.left_out(row)
        case = read_case(
            ask_reader(table_reader.cases, query, inputs),
            corpus.view,
            corpus.query(pooled[place], corpus.projections, trained=False),
            task.labels,
            k_per_head=k_per_head,
            backbone=_log_prob(head, pooled[place].numpy()),
            exclude_ids=ids,
            exclude_groups=groups,
            seed=(0, row),
            truth=record.label if misleads else None,
        )
        if not task.has_boxes:
            case = case.with_image(np.exp(case.backbone))
        if asks_box:
            said = say_box(
                table_reader,
                query,
                inputs(case.candidate_ids),
                case.evidence,
                (record.rows, record.columns),
            )
            case = replace(case, boxes=said)
        found[row] = case
        on_progress(place + 1, len(rows))
    return found


def read_joint(
    reader: TableReader,
    corpus: FoldCorpus,
    heads: RetrieverProjections,
    cache: AnswerCache,
    standard: Mapping[int, HeldOutCase],
    k_per_head: int,
    *,
    on_progress: OnProgress = no_progress,
) -> dict[int, HeldOutCase]:
    """Read the held-out cases of a fold beside what trained query heads find.

    The frozen reader is asked only for pairs that its cache does not hold; what does not depend on
    the search (linear head, image, random candidates) stays as it was read by similarity alone.

    Args:
        reader: frozen, of the fold.
        corpus: what is searched.
        heads: projections with trained heads.
        cache: of that reader; grows by what is read.
        standard: row -> what was read beside the frozen retriever's candidates.
        k_per_head: hits per search.
        on_progress: called after every case.

    Returns:
        Row -> the same beside the trained heads' candidates.
    """
    task = reader.cases.task
    found = {row: corpus.query(corpus.table.features[row], heads, trained=True) for row in standard}
    wanted = {
        row: [
            hit.candidate_id
            for hit in find_candidates(corpus.view, vectors, k_per_head, *corpus.left_out(row))
        ]
        for row, vectors in found.items()
    }
    fill_cache(
        cache,
        reader.cases,
        {row: corpus.rows(ids) for row, ids in wanted.items()},
        reader.query,
        reader.candidate,
        on_progress=on_progress,
    )

    def kept(row: int) -> Ask:
        def ask(ids: Sequence[str]) -> Answers:
            answers = cache[row].of(corpus.rows(ids)).astype(np.float64)
            alone = standard[row].evidence.alone
            assert alone is not None, "the reader was asked without a candidate too"
            return Answers(np.asarray(log_softmax(answers, axis=-1)), alone)

        return ask

    joint = {}
    for row, before in standard.items():
        ids, groups = corpus.left_out(row)
        case = read_case(
            kept(row),
            corpus.view,
            found[row],
            task.labels,
            k_per_head=k_per_head,
            backbone=before.backbone,
            exclude_ids=ids,
            exclude_groups=groups,
        )
        evidence = replace(case.evidence, image=before.evidence.image)
        joint[row] = replace(
            before,
            evidence=evidence,
            labels=case.labels,
            candidate_ids=case.candidate_ids,
            boxes=None,
        )
    return joint


def say_box(
    reader: TableReader,
    query: ImageEncoding,
    candidates: Sequence[CandidateInput],
    evidence: Evidence,
    size: tuple[int, int],
) -> tuple[Box, ...]:
    """The box that the reader itself says for its likeliest label, px; none for a normal image.

    Args:
        reader: asked beside the candidates once more.
        query: the encoded image.
        candidates: K, as the reader takes them.
        evidence: what it said beside them.
        size: (rows, columns) of the query image, px.
    """
    cases = reader.cases
    reading = cases.read(query, cases.task.question, candidates)
    concluded = conclude(evidence.only("candidates"), Profile())
    assert concluded.weighed.log_weights is not None, "candidates were read"
    shares = describe_shares(np.exp(concluded.weighed.log_weights))
    said = cases.describe(reading, shares, int(concluded.log_prob.argmax())).box
    own = Letterbox(*size, reader.reader.image_size).to_image(said) if said else None
    return (own,) if own else ()


def _log_prob(head: LinearHead, features: NDArray[np.float32]) -> NDArray[np.float64]:
    row: NDArray[np.float64] = head.log_prob(features[None])[0]
    return row
