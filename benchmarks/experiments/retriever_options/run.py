"""Options of phase 2: `python -m benchmarks.experiments.retriever_options.run RUN [SEEDS]`.

Each file in the folder `options` trains the query heads of every fold from the
answers that the run has cached, and ranks the candidates that were read for each held-out case. So
no reader is needed: the heads choose two per head among what the frozen retriever found first, and
the reader's answers beside them are averaged. Writes docs/results/joint.md.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.runs import measured_on, open_run
from benchmarks.write_results import publish
from jomed_app.config.load import JomedConfig, load_config
from jomed_app.evaluation.metrics.probabilities import accuracy, binary_auroc
from jomed_app.inference.conclusion.aggregate import candidate_log_weights, marginalize
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.retrieval.search import find_candidates
from jomed_app.training.cases.fold_corpus import FoldCorpus
from jomed_app.training.cases.table import load_reader_table
from jomed_app.training.retriever.answer_cache import AnswerCache
from jomed_app.training.retriever.stage import open_cache
from jomed_app.training.retriever.train import teach_from_cache, train_query_heads
from jomed_app.training.run.workspace import Workspace
from jomed_app.types import Head

OPTIONS = Path(__file__).parent / "options"
FROZEN = "frozen"
POOL = 16
WEIGHT_TEMPERATURE = 0.2  # of head-normalized scores; one value for all rows


def answer(
    corpus: FoldCorpus, heads: RetrieverProjections, cache: AnswerCache, row: int, k: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(C,) marginal and (K, C) answers of one case from its cached candidates alone."""
    known = cache[row]
    pool = known.candidates[:POOL].tolist()  # in the order in which they were read
    outside = set(corpus.view.ids) - {corpus.table.records[each].case_id for each in pool}
    vectors = corpus.query(corpus.table.features[row], heads, trained=True)
    hits = find_candidates(corpus.view, vectors, k, exclude_ids=outside)
    said = known.of(corpus.rows([hit.candidate_id for hit in hits])).astype(np.float64)
    relative = [hit.relative_score for hit in hits]
    return marginalize(candidate_log_weights(relative, WEIGHT_TEMPERATURE), said), said


def measure(
    corpora: Sequence[FoldCorpus],
    caches: Sequence[AnswerCache],
    config: JomedConfig | None,
    seed: int,
    work: Workspace,
) -> dict[str, float]:
    """Train all folds' heads (None: leave them at zero) and score all held-out cases."""
    labels_of = work.task.labels.index
    truth, marginals, inconsistent, oracle = [], [], [], []
    for fold, (corpus, cache) in enumerate(zip(corpora, caches, strict=True)):
        table = corpus.table
        labels = np.array([labels_of(record.label) for record in table.records], np.intp)
        heads = copy.deepcopy(corpus.projections)
        if config is not None:
            settings = config.train_retriever.replaced(seed=seed)
            heads.config.query_mix = config.retriever.query_mix
            counts: dict[Head, int] = {"image": settings.num_image, "text": settings.num_text}
            wanted = {
                int(row): [
                    each
                    for each in corpus.nearest(corpus.projections, int(row), counts)
                    if not cache.missing(int(row), [each])
                ]
                for row in table.training_rows(fold)
            }
            taught = teach_from_cache(cache, wanted, table.features, labels)
            with tempfile.TemporaryDirectory() as folder:
                train_query_heads(heads, taught, corpus.vectors, settings, Path(folder))
        for row in table.held_out_rows(fold).tolist():
            marginal, said = answer(corpus, heads, cache, row, work.config.index.k_per_head)
            predictions = said.argmax(-1)
            truth.append(labels[row])
            marginals.append(marginal)
            inconsistent.append(len(set(predictions.tolist())) > 1)
            oracle.append(bool((predictions == labels[row]).any()))
    probabilities, index = np.exp(np.stack(marginals)), np.array(truth)
    positive = work.task.positive_index
    return {
        "accuracy": accuracy(probabilities, index),
        "nll": float(-np.log(probabilities[np.arange(len(index)), index]).mean()),
        "auroc": binary_auroc(probabilities, index, positive),
        "inconsistent": float(np.mean(inconsistent)),
        "oracle": float(np.mean(oracle)),
    }


def main(run: Path, num_seeds: int = 3) -> int:
    """Measure every option, write the page."""
    work = open_run(run)
    config = work.config
    reader, _ = work.trainable_reader()
    table = load_reader_table(work, reader, with_index=True)
    folds = range(config.train_reader.folds)
    corpora = [FoldCorpus(table, fold) for fold in folds]
    caches = [open_cache(work, work.fold_name(fold), table) for fold in folds]
    rows = [{"option": FROZEN, "seed": 0, **measure(corpora, caches, None, 0, work)}]
    for path in sorted(OPTIONS.glob("*.toml")):
        for seed in range(num_seeds):
            figures = measure(corpora, caches, load_config(path), seed, work)
            rows.append({"option": path.stem, "seed": seed, **figures})
            sys.stdout.write(f"{path.stem} {seed} {figures}\n")
            sys.stdout.flush()
    cases = sum(len(table.held_out_rows(fold)) for fold in folds)
    publish("joint", {"cases": cases, "pool": POOL, "rows": rows}, measured_on(run))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
