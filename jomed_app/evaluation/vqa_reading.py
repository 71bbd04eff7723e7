"""Reading questions with free answers: from a bundle and an index, or right after training.

`frequent`: the most frequent answer to the question among the known images; looks at no image.
`copied`: what the best candidate answered to its question most alike; reads nothing.
`no_retrieval`: the reader without a candidate. `rag`: the reader beside candidates, marginalized.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jomed_app.config import JomedConfig
from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.errors import ConfigError, RecordError
from jomed_app.evaluation.schema import write_report
from jomed_app.evaluation.vqa import AnsweredQuestion, KnownAnswers
from jomed_app.evaluation.vqa_report import build_vqa_report, vqa_page
from jomed_app.imaging import read_image
from jomed_app.inference.aggregate import candidate_log_weights
from jomed_app.inference.free_answers import answer_freely
from jomed_app.inference.load import load_bundle
from jomed_app.inference.reading import CaseReader
from jomed_app.inference.shelf import CandidateShelf, encode_images
from jomed_app.models.loading import prepare_for_answers
from jomed_app.models.reader import CandidateInput, ImageEncoding, Reader
from jomed_app.progress import OnProgress
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.question_search import QuestionSearch
from jomed_app.retrieval.search import relative_scores
from jomed_app.training.loop import no_progress
from jomed_app.training.question_table import QuestionTable
from jomed_app.training.questions import question_stage

VQA_SYSTEMS = ("frequent", "copied", "no_retrieval", "rag")
SHORTLIST = 256  # images alike, among which those asked alike are sought
CLOSED_OPTIONS = ("yes", "no")  # weighed for every closed question, as the authors offer them
PAGE_FILE = "vqa.md"


@dataclass(frozen=True, slots=True)
class Beside:
    """What a question is read beside.

    Attributes:
        candidates: K known images, each with its answers to questions alike, the best first.
        log_weights: (K,) nats.
        copied: the best candidate's answer to its question most alike.
    """

    candidates: Sequence[CandidateInput]
    log_weights: NDArray[np.float64]
    copied: str


@dataclass(frozen=True, slots=True)
class AskedImage:
    """An image that is ready to be asked about.

    Attributes:
        record: with its questions.
        encoding: as the reader sees it.
        beside: question -> its candidates.
    """

    record: CaseRecord
    encoding: ImageEncoding
    beside: Callable[[str], Beside]


def known_answers(records: Iterable[CaseRecord]) -> KnownAnswers:
    """The answers that the known images brought along."""
    return KnownAnswers(
        [
            (each.question, each.answer, each.is_closed)
            for record in records
            for each in record.questions
        ]
    )


def answer_questions(
    reader: Reader, images: Iterable[AskedImage], known: KnownAnswers
) -> Iterator[list[AnsweredQuestion]]:
    """Yield, image by image, what every system answers to each of its questions."""
    for image in images:
        answered = []
        for each in image.record.questions:
            beside = image.beside(each.question)
            said = answer_freely(
                reader,
                image.encoding,
                each.question,
                beside.candidates,
                beside.log_weights,
                options=CLOSED_OPTIONS if each.is_closed else (),
            )
            answered.append(
                AnsweredQuestion(
                    group=image.record.group or image.record.case_id,
                    question=each.question,
                    reference=each.answer,
                    is_closed=each.is_closed,
                    answers={
                        "frequent": known.most_frequent(each.question, each.is_closed),
                        "copied": beside.copied,
                        "no_retrieval": said.plain,
                        "rag": said.text,
                    },
                    is_inconsistent=said.is_inconsistent if said.candidates else None,
                )
            )
        yield answered


def evaluate_questions(
    task: Task,
    data: Path,
    splits: Sequence[str],
    bundle: Path,
    index: Path,
    limit: int | None,
    out: Path,
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Ask all questions of a split with a bundle and an index, and write the report.

    Args:
        task: an open task.
        data: root of the public set, or a folder of records with questions.
        splits: to ask about.
        bundle: folder; named in the report.
        index: folder of the known images; an image's own group is never its candidate.
        limit: first N images only.
        out: report file.
        on_progress: called after every image.

    Returns:
        The report as plain values.

    Raises:
        RecordError: if the split holds no case, or none with a question.
    """
    parts = load_bundle(bundle)
    candidates = CandidateIndex.load(index, parts.retriever.fingerprint)
    folder, records = load_corpus(task, data, splits)
    asked = [record for record in records if record.questions][:limit]
    if not asked:
        raise RecordError(f"an open task needs cases with questions, split {list(splits)} has none")
    settings = parts.profile(candidates.info.simulated).settings
    shelf = CandidateShelf(CaseReader(parts.reader, task), candidates)
    search = QuestionSearch([candidates.candidate(each) for each in candidates.ids])
    row_of = {each: row for row, each in enumerate(candidates.ids)}

    def ask(record: CaseRecord) -> AskedImage:
        image = read_image(folder / record.image)
        encoding = encode_images(parts.reader, [image.model_input])[0]
        query = parts.retriever.query_from_tokens(encoding.tokens[None])["image"]
        hits = candidates.search(
            query,
            "image",
            SHORTLIST,
            candidates.ids_of_image(image.info.sha256),
            frozenset({record.group} if record.group else ()),
        )
        rows = np.array([row_of[hit.candidate_id] for hit in hits], dtype=np.int64)
        alike = np.array([hit.retriever_score for hit in hits])

        def beside(question: str) -> Beside:
            scores = search.scores(question, alike, rows)
            best = np.argsort(-scores, kind="stable")[: 2 * settings.k_per_head]
            known = shelf.inputs([hits[int(place)].candidate_id for place in best])
            shown = [
                replace(each, passage=search.passage(int(row), question))
                for each, row in zip(known, rows[best], strict=True)
            ]
            return Beside(
                shown,
                weigh(scores[best].tolist(), settings.weight_temperature),
                search.answer(int(rows[best[0]]), question) if len(best) else "",
            )

        return AskedImage(record, encoding, beside)

    start, found = time.perf_counter(), []
    known = known_answers(map(candidates.candidate, candidates.ids))
    images = map(ask, asked)
    for done, answered in enumerate(answer_questions(parts.reader, images, known), start=1):
        found += answered
        on_progress(done, len(asked))
    manifest = parts.bundle.manifest
    report = build_vqa_report(
        found,
        task=task.name,
        split=",".join(splits),
        bundle=f"{manifest.name} {manifest.version}",
        index=candidates.info.name,
        seconds=time.perf_counter() - start,
    )
    write_report(report, out)
    values: dict[str, Any] = report.model_dump(mode="json", by_alias=True)
    return values


def tune_and_measure(
    config: JomedConfig, out: Path, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Run the stage `questions`, then ask about the held-out images."""
    reader, table = question_stage(config, out, resume=resume, on_progress=on_progress)
    prepare_for_answers(reader.model)
    measure_held_out(reader, table, config, out, on_progress=on_progress)


@torch.inference_mode()
def measure_held_out(
    reader: Reader,
    table: QuestionTable,
    config: JomedConfig,
    out: Path,
    *,
    limit: int | None = None,
    on_progress: OnProgress = no_progress,
) -> list[Path]:
    """Ask about the held-out images beside the training images; write a report per task, a page.

    Args:
        reader: tuned.
        table: its training images are the known ones.
        config: `train_questions` says how many candidates are read and how they are weighed.
        out: folder of the run; reports go to `vqa/`.
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
    by_task = {
        name: [int(row) for row in table.held_out if table.tasks[row] == name][:limit]
        for name in dict.fromkeys(table.tasks)
    }
    total, done, reports, paths = sum(map(len, by_task.values())), 0, [], []
    for name, rows in by_task.items():
        start = time.perf_counter()
        found: list[AnsweredQuestion] = []
        images = (_asked_row(reader, table, row, config) for row in rows)
        for answered in answer_questions(reader, images, known):
            found += answered
            done += 1
            on_progress(done, total)
        if not found:
            continue
        report = build_vqa_report(
            found,
            task=name,
            split="val",
            bundle=f"{out.name}, {settings.steps} steps",
            index="train splits of " + ", ".join(settings.tasks),
            seconds=time.perf_counter() - start,
        )
        paths.append(out / "vqa" / f"report.{name}.json")
        write_report(report, paths[-1])
        reports.append(report)
    page = out / "vqa" / PAGE_FILE
    page.write_text(vqa_page(reports), encoding="utf-8")
    return [*paths, page]


def _asked_row(reader: Reader, table: QuestionTable, row: int, config: JomedConfig) -> AskedImage:
    """A held-out image beside training images that are alike and were asked alike."""
    settings = config.train_questions

    def beside(question: str) -> Beside:
        near, scores = table.near(row, question)
        hits, best = near[: settings.num_hits], scores[: settings.num_hits]
        return Beside(
            [table.candidate(reader, int(hit), question) for hit in hits],
            weigh(best.tolist(), settings.weight_temperature),
            table.copied(int(hits[0]), question) if len(hits) else "",
        )

    return AskedImage(table.records[row], table.encoding(reader, row), beside)


def weigh(scores: Sequence[float], temperature: float) -> NDArray[np.float64]:
    """Log-weights (K,) of candidates by their scores, the best first, nats."""
    return candidate_log_weights(relative_scores(scores), temperature)
