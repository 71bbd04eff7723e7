"""Reading the held-out questions right after the reader was tuned, beside the training images."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.config.load import JomedConfig
from jomed_app.errors import ConfigError
from jomed_app.evaluation.fit.votes import settle_votes
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion
from jomed_app.evaluation.questions.read import (
    JOINT_SYSTEM,
    AskedImage,
    answer_questions,
    known_answers,
)
from jomed_app.evaluation.report.pages.questions import vqa_page
from jomed_app.evaluation.report.predictions import write_answers
from jomed_app.evaluation.report.questions import REFERENCE_SYSTEM, build_vqa_report
from jomed_app.evaluation.report.schema import write_report
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.questions.free_answers import QuestionReader, open_profile
from jomed_app.models.reader.packed import PackedReader
from jomed_app.progress import OnProgress
from jomed_app.storage.durable import write_file
from jomed_app.training.questions.heads import teach_heads_by_questions
from jomed_app.training.questions.table import QuestionTable
from jomed_app.training.questions.train import question_stage
from jomed_app.training.run.loop import no_progress

PAGE_FILE = "vqa.md"


def tune_and_measure(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Run the stage `questions`, then ask about the held-out images."""
    reader, table = question_stage(config, out, resume=resume, on_progress=on_progress)
    reader.prepare()
    moved = teach_heads_by_questions(
        config, out, reader, table, resume=resume, on_progress=on_progress
    )
    measure_held_out(reader, table, config, out, moved=moved, on_progress=on_progress)


@torch.inference_mode()
def measure_held_out(
    reader: PackedReader,
    table: QuestionTable,
    config: JomedConfig,
    out: Path,
    *,
    moved: NDArray[np.float32] | None = None,
    limit: int | None = None,
    on_progress: OnProgress = no_progress,
) -> list[Path]:
    """Ask about the held-out images beside the training images; write a report per task, a page.

    Args:
        reader: tuned.
        table: its training images are the known ones.
        config: `train_questions` says how many candidates are read and how they are weighed.
        out: folder of the run; reports go to `vqa/`.
        moved: (N, D) query vectors by a trained image head; None leaves `joint` out.
        limit: first N held-out images of each task only.
        on_progress: called after every image.

    Returns:
        The reports, then the page.

    Raises:
        ConfigError: if no image is held out.
    """
    settings = config.train_questions
    if not len(table.held_out):
        raise ConfigError("the held-out splits of train_questions.tasks hold no image; add cases")
    known = known_answers(table.records[int(row)] for row in table.training)
    profile = open_profile(settings.weight_temperature)
    questions = QuestionReader(reader, table.known, table.candidates(reader), settings.num_hits)
    by_task = {
        name: [int(row) for row in table.held_out if table.tasks[row] == name][:limit]
        for name in dict.fromkeys(table.tasks)
    }
    total, done, reports, paths = sum(map(len, by_task.values())), 0, [], []
    for name, rows in by_task.items():
        start = time.perf_counter()
        found: list[AnsweredQuestion] = []
        images = (_ready(reader, table, row, profile, moved) for row in rows)
        for answered in answer_questions(questions, images, known):
            found += answered
            done += 1
            on_progress(done, total)
        if not found:
            continue
        settled = settle_votes(found, profile)
        report = build_vqa_report(
            settled,
            task=name,
            split="val",
            bundle=f"{out.name}, {settings.steps} steps",
            index="train splits of " + ", ".join(settings.tasks),
            seconds=time.perf_counter() - start,
        )
        paths.append(out / "vqa" / f"report.{name}.json")
        write_report(report, paths[-1])
        write_answers(paths[-1], settled)
        reports.append(report)
    page = out / "vqa" / PAGE_FILE
    write_file(page, vqa_page(reports))
    return [*paths, page]


def _ready(
    reader: PackedReader,
    table: QuestionTable,
    row: int,
    profile: Profile,
    moved: NDArray[np.float32] | None,
) -> AskedImage:
    """A held-out image beside training images that are alike."""
    near = {REFERENCE_SYSTEM: table.shortlist(row)}
    if moved is not None:
        near[JOINT_SYSTEM] = table.shortlist(row, moved[row])
    return AskedImage(
        table.records[row],
        table.encoding(reader, row),
        near,
        dict.fromkeys(near, profile),
        None if table.has_twin is None else bool(table.has_twin[row]),
    )
