"""Configuration of the training stages, but for the localizer's: see `localizer.py`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jomed_app.config.section import Section, Texts


class AlignConfig(Section):
    """Alignment of images and descriptions (stage `align`).

    Attributes:
        loss: which losses of `training/align/losses.py`, joined by "+"; `graph` is set up in its
            own section.
        steps: optimizer steps; batch_size: triples per step; lr: peak learning rate.
        temperature: divides the inner products of `infonce`, > 0.
        graph_weight: of the graph loss.
        use_extended: whether extended descriptions take part.
        localization_weight: of the loss that says which cells a lesion covers.
        head_lr_factor: learning-rate factor of freshly made layers.
        trained: all of the tower, its last stage on kept views, or none of it: then projections
            learn on its kept tokens, which know no label.
        num_views: views kept per image for `last` and `none`, the first one unchanged.
        sources: sets that triples come from: simulated, busi, slake, medpix.
        data: root of the public sets; needed for any source but `simulated`.
        fraction: share of the triples that is used, drawn by seed.
        language_steps: steps of the projector beside the frozen language model, which describes
            the image (arXiv:2410.02615, stage 2); 0 leaves the projector as it is.
        language_batch: triples per such step; language_lr: its peak learning rate.
        seed: of batches, views and initial weights.
    """

    loss: str = "infonce"
    graph_weight: float = Field(default=1.0, ge=0.0)  # arXiv:2410.02615: alpha = 1 is best
    use_extended: bool = True
    trained: Literal["all", "last", "none"] = "all"
    num_views: int = Field(default=2, ge=1, le=64)
    sources: Texts = ("simulated",)
    data: str = ""
    fraction: float = Field(default=1.0, ge=1e-4, le=1.0)
    language_steps: int = Field(default=0, ge=0)
    language_batch: int = Field(default=16, ge=2)
    language_lr: float = Field(default=2e-3, ge=1e-8, le=1.0)  # arXiv:2410.02615, stage 1
    steps: int = Field(default=280, ge=1)
    batch_size: int = Field(default=32, ge=2)
    lr: float = Field(default=8e-4, ge=1e-8, le=1.0)
    temperature: float = Field(default=0.07, ge=1e-3, le=10.0)
    localization_weight: float = Field(default=2.0, ge=0.0)  # ours: of the cell-occupancy loss
    head_lr_factor: float = Field(default=5.0, ge=0.0)  # ours: fresh layers learn faster
    seed: int = Field(default=0, ge=0)


class GraphConfig(Section):
    """Multi-graph alignment (the loss `graph` of the stage `align`).

    Attributes:
        num_neighbors: k of the graphs, at most a quarter of the batch; 0 compares nodes only.
        num_layers: message passing layers; 0 passes nothing.
        edge_weight: factor of edge costs against node costs.
        noise: scale of the Gumbel noise on affinities.
        margin: added to the cost of matching a case to itself; keeps teaching what is right.
        solver: linear assignment, rounds of linearization, or local search by swaps.
        estimator: gradient through the solver.
        step: finite-difference step (the authors' lambda).
        use_barycenter: match to the barycenter; else every modality to every other.
    """

    num_neighbors: int = Field(default=5, ge=0, le=64)  # arXiv:2410.02615, authors' code
    num_layers: int = Field(default=2, ge=0, le=8)  # arXiv:2410.02615
    edge_weight: float = Field(default=0.5, ge=0.0)  # authors' code
    noise: float = Field(default=0.05, ge=0.0)  # authors' code; the paper says Gumbel(0, 1)
    margin: float = Field(default=0.0, ge=0.0)  # authors' code has none
    solver: Literal["linear", "linearization", "swaps"] = "linearization"  # ours: no LPMP
    estimator: Literal["perceptron", "finite_difference"] = "perceptron"  # ours
    step: float = Field(default=80.0, ge=1e-3)  # authors' code
    use_barycenter: bool = True


class RowsConfig(Section):
    """Which rows a reader is tuned on: of each query, and of every candidate beside it.

    Attributes:
        weight_decay: of AdamW.
        num_candidates: candidates per query, each its own row with the same answer.
        candidate_depth: candidates are drawn from this many nearest cases.
        hidden_share: share of candidate rows that hide query tokens.
        query_dropout: least share of query tokens hidden there; the most is all of them.
        random_share: share of candidates drawn from the whole corpus instead of the nearest.
        comparison_share: share of queries asked whether the candidate has the same diagnosis.
        plain_share: share of queries that are also read without a candidate.
        seed: of batches, dropout and initial adapters.
    """

    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0)  # ours
    num_candidates: int = Field(default=4, ge=1, le=50)  # arXiv:2508.17394, authors' code: K = 4
    candidate_depth: int = Field(default=12, ge=1)  # ours: drawn from these nearest
    hidden_share: float = Field(default=0.35, ge=0.0, le=1.0)  # ours: or the candidate is ignored
    query_dropout: float = Field(default=0.5, ge=0.0, le=1.0)  # ours
    random_share: float = Field(default=0.15, ge=0.0, le=1.0)  # ours: relevance must be judged
    comparison_share: float = Field(default=0.15, ge=0.0, le=1.0)  # ours
    plain_share: float = Field(default=0.6, ge=0.0, le=1.0)  # ours: so that the query alone is read
    seed: int = Field(default=0, ge=0)


class LoraConfig(Section):
    """The LoRA adapter that a large reader learns in.

    Attributes:
        rank: of the adapter; alpha: its change of a layer is scaled by alpha / rank.
        dropout: on what goes into it.
    """

    rank: int = Field(default=8, ge=1, le=256)  # the authors' framework's default
    alpha: int = Field(default=16, ge=1, le=1024)  # the same: twice the rank
    dropout: float = Field(default=0.0, ge=0.0, le=0.9)  # the same


class AdapterTrainingConfig(RowsConfig):
    """Supervised tuning of a large reader's adapter (stage `reader`).

    Attributes:
        steps: optimizer steps; lr: peak learning rate; warmup: share of the steps before it.
        batch_size: queries that are read side by side, each with all its rows.
        batches_per_step: such batches whose gradients make a step, in each process.
        checkpoint_every: steps between checkpoints.
    """

    steps: int = Field(default=2160, ge=1)  # arXiv:2508.17394, authors' code
    lr: float = Field(default=1e-4, ge=1e-8, le=1.0)  # authors' code
    warmup: float = Field(default=0.1, ge=0.0, le=1.0)  # authors' code
    batch_size: int = Field(default=1, ge=1)  # ours: rows of one query fit 24 GB
    batches_per_step: int = Field(default=8, ge=1)  # authors' code: 40 rows a step are 8 queries
    checkpoint_every: int = Field(default=50, ge=0)


class ReaderTrainingConfig(RowsConfig):
    """Supervised tuning of the embedded reader (stage `reader`), and the cases of its run.

    Attributes:
        task: what is asked.
        data: root of the public set of this task; empty trains on simulated cases alone.
        start_from: folder of another run whose alignment is used and whose reader, tuned on
            simulated pairs, is where tuning starts; empty starts from this run's own.
        folds: cross-validation folds over the real cases; 1 holds out the set's own split `val`.
        fold_seed: of the assignment to folds.
        shipped_fold: the fold whose reader and localizer the bundle carries, so that its held-out
            cases stay unseen by what is shipped; -1 trains one more on all cases and ships that.
        simulated_steps: optimizer steps on simulated cases, shared by all folds.
        steps: optimizer steps on the mixture, per fold and for the final reader.
        batch_size: queries per step; lr: peak learning rate (half of it on the mixture).
        real_share: share of real queries in the mixture.
        real_candidate_share: share of a real query's steps whose candidates are real cases.
        views: views kept per case, which its queries are drawn from: the tower runs once for all
            folds; 0 sees every query in a fresh view, through the tower.
        label_smoothing: of the answer tokens that are not locations.
        spelling_steps: steps in which the projector alone learns to point to the label's word,
            before simulated cases and before the mixture; they take seconds.
    """

    task: str = "breast"
    data: str = ""
    start_from: str = ""
    folds: int = Field(default=5, ge=1, le=20)
    fold_seed: int = Field(default=0, ge=0)
    shipped_fold: int = Field(default=-1, ge=-1, le=19)
    simulated_steps: int = Field(default=160, ge=1)
    steps: int = Field(default=60, ge=1)
    batch_size: int = Field(default=8, ge=1)
    lr: float = Field(default=1e-3, ge=1e-8, le=1.0)
    real_share: float = Field(default=0.75, ge=0.0, le=1.0)  # ours
    real_candidate_share: float = Field(default=0.7, ge=0.0, le=1.0)  # ours
    label_smoothing: float = Field(default=0.05, ge=0.0, le=0.9)  # ours
    views: int = Field(default=0, ge=0, le=64)  # ours: as many steps are cheaper through the tower
    spelling_steps: int = Field(default=0, ge=0)  # ours; 0 as bundle 5 was made


class QuestionTrainingConfig(Section):
    """Tuning of the reader on questions with free answers (stage `questions`).

    Attributes:
        tasks: open tasks whose train splits are tuned on together.
        data: root of the public sets; needed.
        start: reader checkpoint to start from, a folder within the run or anywhere; empty starts
            from fresh adapters.
        steps: optimizer steps; lr: peak learning rate; weight_decay: of AdamW.
        images_per_step: images per step; questions_per_image: drawn of each, in one sequence.
        candidate_share: share of the questions that are also read beside candidates.
        num_candidates: candidates per such question, each its own row with the same answer.
        candidate_depth: candidates are drawn from this many nearest images.
        random_share: share of candidates drawn from all images instead of the nearest.
        hidden_share: share of candidate rows that hide tokens of the query; query_dropout: least
            share of its tokens hidden there.
        max_answer_tokens: longer answers are cut, and then taught without an end.
        label_smoothing: of the answer tokens.
        num_hits: candidates read per question when a split is measured.
        weight_temperature: divides their head-normalized retriever scores.
        taught_questions: training questions that teach the image head afterwards which candidates
            help (arXiv:2508.17394, phase 2); 0 teaches none.
        taught_candidates: candidates read beside each of them.
        checkpoint_every: steps between checkpoints.
        seed: of batches, candidates and initial adapters.
    """

    tasks: Texts = ("slake", "vqa_rad")
    data: str = ""
    start: str = ""
    steps: int = Field(default=900, ge=1)
    lr: float = Field(default=6e-4, ge=1e-8, le=1.0)
    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0)
    images_per_step: int = Field(default=4, ge=1)
    questions_per_image: int = Field(default=4, ge=1)
    candidate_share: float = Field(default=0.5, ge=0.0, le=1.0)  # ours: a plain row costs a fifth
    num_candidates: int = Field(default=2, ge=1, le=50)
    candidate_depth: int = Field(default=6, ge=1)
    random_share: float = Field(default=0.15, ge=0.0, le=1.0)  # ours: relevance must be judged
    hidden_share: float = Field(default=0.15, ge=0.0, le=1.0)  # ours: or the candidate is ignored
    query_dropout: float = Field(default=0.5, ge=0.0, le=1.0)
    max_answer_tokens: int = Field(default=16, ge=1, le=128)
    label_smoothing: float = Field(default=0.0, ge=0.0, le=0.9)
    num_hits: int = Field(default=4, ge=1, le=50)  # arXiv:2508.17394, authors' code: K = 4
    weight_temperature: float = Field(default=0.1, ge=1e-3, le=100.0)  # ours
    taught_questions: int = Field(default=400, ge=0)  # ours
    taught_candidates: int = Field(default=8, ge=2, le=50)  # ours
    checkpoint_every: int = Field(default=50, ge=0)
    seed: int = Field(default=0, ge=0)


class HeadTrainingConfig(Section):
    """The query heads, trained through the frozen reader's answers (stage `retriever`).

    Attributes:
        target: what teaches: the posterior from answer likelihoods, or what the authors released.
        prior: of the posterior over candidates.
        target_temperature: of the posterior; score_temperature: of the retriever's softmax.
        candidates: what is searched for them where only some labels are learned: the cases of the
            other labels, which the reader's weights have not seen (all, where those are of one
            class); or the learned ones alone. Where all labels are learned both are the same.
        num_image, num_text: candidates read per training query, nearest by each head.
        steps: optimizer steps per head; batch_size: queries per step.
        lr: peak learning rate; weight_decay: of AdamW.
        seed: of batches.
    """

    target: Literal["posterior", "released"] = "posterior"
    prior: Literal["uniform", "retriever"] = "retriever"  # arXiv:2508.17394, authors' code
    target_temperature: float = Field(default=1.0, ge=1e-3, le=10.0)  # authors' code
    score_temperature: float = Field(default=0.05, ge=1e-3, le=10.0)  # authors' code: 1
    candidates: Literal["unseen", "labeled"] = "unseen"  # ours: the index grows after training
    num_image: int = Field(default=11, ge=1, le=200)  # ours: both heads' union; authors: 50 a head
    num_text: int = Field(default=5, ge=0, le=200)
    steps: int = Field(default=300, ge=1)
    batch_size: int = Field(default=64, ge=2)
    lr: float = Field(default=1e-3, ge=1e-8, le=1.0)
    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0)  # authors' code: 1.0 by mistake
    seed: int = Field(default=0, ge=0)


class RetrieverTrainingConfig(HeadTrainingConfig):
    """The same, fold by fold.

    Attributes:
        num_seeds: heads trained per fold, from `seed` on; the first ones are shipped.
    """

    num_seeds: int = Field(default=3, ge=1, le=100)
