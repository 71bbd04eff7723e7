"""Stage `questions`: the reader learns free answers, of several questions an image at once.

Source: arXiv:2508.17394, stage 1 (one candidate a row, answer tokens only), on SLAKE and VQA-RAD.
Ours: the image stands first and once; every question, beside a candidate or none, is a block of its
own behind it and blind to the others, so an answer has the likelihood it has when read alone. The
tokens of all images are kept, so a step is one forward of the language model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jomed_app.config.load import JomedConfig
from jomed_app.config.training import QuestionTrainingConfig
from jomed_app.data.records import AskedQuestion
from jomed_app.data.wording.questions import taught_answer
from jomed_app.models.adapters import merge_lora
from jomed_app.models.number_type import compute_dtype
from jomed_app.models.reader.packed import PackedReader
from jomed_app.models.reader.prompt_encoder import PromptEncoder
from jomed_app.progress import OnProgress
from jomed_app.training.questions.table import QuestionTable, load_question_table
from jomed_app.training.reader.packing import Block
from jomed_app.training.reader.step import answer_step_loss
from jomed_app.training.run.loop import LoopSettings, no_progress, run_loop
from jomed_app.training.run.workspace import Workspace

CHECKPOINT_NAME = "questions"


@dataclass(frozen=True, slots=True)
class PlannedQuestion:
    """One question of an image, with the rows it is read in.

    Attributes:
        asked: question and answer.
        rows: table row of the candidate of each block, None for the block without one.
        hidden_shares: share of the query's tokens that each block may not see.
    """

    asked: AskedQuestion
    rows: tuple[int | None, ...]
    hidden_shares: tuple[float, ...]


def plan_questions(
    questions: Sequence[AskedQuestion],
    near: Callable[[str], NDArray[np.int64]],
    config: QuestionTrainingConfig,
    rng: np.random.Generator,
) -> list[PlannedQuestion]:
    """Draw questions of one image, and the candidates of each.

    Args:
        questions: of the image, one or more.
        near: question -> (M,) rows that may be candidates, the best first.
        config: counts and shares.
        rng: decides everything.
    """
    count = min(config.questions_per_image, len(questions))
    planned = []
    for place in rng.choice(len(questions), size=count, replace=False):
        asked = questions[int(place)]
        rows: list[int | None] = [None]
        hidden = [0.0]
        if rng.random() < config.candidate_share:
            known = near(asked.question)
            drawn = rng.permutation(known[: config.candidate_depth])[: config.num_candidates]
            for row in drawn:
                is_other = rng.random() < config.random_share
                rows.append(int(rng.choice(known)) if is_other else int(row))
                is_hidden = rng.random() < config.hidden_share
                hidden.append(float(rng.uniform(config.query_dropout, 1.0)) if is_hidden else 0.0)
        planned.append(PlannedQuestion(asked, tuple(rows), tuple(hidden)))
    return planned


def split_query(prompts: PromptEncoder, question: str) -> tuple[list[int], list[int]]:
    """Return a query's ids up to the end of its image, and those of the question behind it."""
    ids = prompts.query(question)
    end = len(ids) - ids[::-1].index(prompts.image_token_id)
    return ids[:end], ids[end:]


def question_blocks(
    planned: PlannedQuestion,
    table: QuestionTable,
    prompts: PromptEncoder,
    config: QuestionTrainingConfig,
    rng: np.random.Generator,
) -> list[Block]:
    """Put a planned question into blocks that stand behind its image."""
    shared, asked = split_query(prompts, planned.asked.question)
    text = f" {taught_answer(planned.asked.answer)}"
    answer = prompts.answer(text, complete=True)
    if len(answer) > config.max_answer_tokens:
        answer = prompts.answer(text)[: config.max_answer_tokens]
    blocks = []
    for row, hidden in zip(planned.rows, planned.hidden_shares, strict=True):
        if row is None:
            prompt = prompts.no_candidate()
        else:
            passage = table.passage(row, planned.asked.question)
            prompt = prompts.candidate(table.records[row].label, passage)
        dropped: Tensor | None = None
        if hidden > 0:
            is_image = torch.tensor(shared) == prompts.image_token_id
            dropped = is_image & torch.from_numpy(rng.random(len(shared)) < hidden)
        blocks.append(Block([*asked, *prompt], answer, [1.0] * len(answer), dropped))
    return blocks


def train_questions(
    reader: PackedReader,
    table: QuestionTable,
    config: QuestionTrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Tune a reader whose model carries adapters (`models.adapters.attach_lora`), in place.

    Args:
        reader: its vision tower stays as it is and is not even run.
        table: images, questions and tokens.
        config: steps, rates and shares.
        out: checkpoint folder.
        resume: continue from its checkpoint.
        on_progress: called after every step.

    Returns:
        The log of the steps run now.
    """
    torch.manual_seed(config.seed)
    model = reader.model
    model.train()
    model.model.vision_tower.eval().requires_grad_(False)

    def step_loss(step: int) -> Mapping[str, Tensor]:
        rng = np.random.default_rng([config.seed, step])
        images = _epoch_rows(table.training, step, config)
        planned = [_plan(table, int(row), config, rng) for row in images]
        blocks = [
            [b for one in each for b in question_blocks(one, table, reader.prompts, config, rng)]
            for each in planned
        ]
        shared = split_query(reader.prompts, "?")[0]
        return answer_step_loss(
            reader,
            [shared] * len(images),
            blocks,
            lambda: _features_in_order(reader, table.tokens, images, planned),
            config.label_smoothing,
        )

    history = run_loop(
        {"reader": model},
        step_loss,
        LoopSettings(
            config.steps,
            config.lr,
            weight_decay=config.weight_decay,
            checkpoint_every=config.checkpoint_every,
        ),
        out,
        resume=resume,
        on_progress=on_progress,
    )
    model.eval()
    return history


def question_stage(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> tuple[PackedReader, QuestionTable]:
    """Tune on the train splits together; writes `reader/questions`.

    Returns:
        The tuned reader, its adapters folded in, and the table, so that the held-out images can be
        read at once.
    """
    work = Workspace(out, config)
    settings = config.train_questions
    start = out / settings.start if settings.start else None
    work.prepare_base()
    reader, adapted = work.trainable_reader(start)
    table = load_question_table(work, reader)
    train_questions(
        reader,
        table,
        settings,
        work.reader(CHECKPOINT_NAME),
        resume=resume,
        on_progress=on_progress,
    )
    merge_lora(adapted)
    reader.model.to(compute_dtype())  # type: ignore[arg-type]
    return reader, table


def _plan(
    table: QuestionTable,
    row: int,
    config: QuestionTrainingConfig,
    rng: np.random.Generator,
) -> list[PlannedQuestion]:
    return plan_questions(
        table.records[row].questions, lambda question: table.near(row, question)[0], config, rng
    )


def _epoch_rows(
    rows: NDArray[np.int64], step: int, config: QuestionTrainingConfig
) -> NDArray[np.int64]:
    """Images of a step: every one once an epoch, order anew each epoch, by seed and step alone."""
    size = min(config.images_per_step, len(rows))
    epoch, place = divmod(step, max(1, len(rows) // size))
    order = np.random.default_rng([config.seed, 7, epoch]).permutation(rows)
    return order[place * size : (place + 1) * size]


def _features_in_order(
    reader: PackedReader,
    tokens: Tensor,
    images: NDArray[np.int64],
    planned: Sequence[Sequence[PlannedQuestion]],
) -> list[Tensor]:
    """Projected tokens in the order in which the packed sequences show their images."""
    rows = [[row for one in each for row in one.rows if row is not None] for each in planned]
    unique, places = np.unique(
        np.array([*images, *(row for each in rows for row in each)], dtype=np.int64),
        return_inverse=True,
    )
    project = reader.model.model.multi_modal_projector
    shown = tokens[torch.from_numpy(unique)]
    projected = project(shown.to(project.linear_1.weight.dtype))
    pooled = reader.pool_features(projected)
    features: list[Tensor] = []
    taken = len(images)
    for place, each in enumerate(rows):
        features.append(projected[places[place]])
        for _ in each:
            features.append(pooled[places[taken]])
            taken += 1
    return features
