"""Reading questions with free answers, by a bundle and an index or right after tuning.

`frequent`: the most frequent answer to the question among the known images; looks at no image.
`copied`: what the best candidate answered to its question most alike; reads nothing.
`no_retrieval`: the reader without a candidate. `reader`: beside candidates, marginalized.
`rag`: the same, and what known images answered to questions alike votes with it.
`joint`: as `rag`, with a trained image head: right after `train questions` one that such questions
taught, with a bundle its own, taught by the bundle's task; left out where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.data.twins import have_twins
from jomed_app.errors import RecordError
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion, KnownAnswers
from jomed_app.evaluation.report.predictions import write_answers
from jomed_app.evaluation.report.questions import REFERENCE_SYSTEM, build_vqa_report
from jomed_app.evaluation.report.schema import write_report
from jomed_app.imaging.decoder import read_untrusted
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.engine import Engine
from jomed_app.inference.load import engine_of, load_bundle
from jomed_app.inference.questions.free_answers import (
    CLOSED_OPTIONS,
    QuestionReader,
    conclude_reading,
    word_answer,
)
from jomed_app.models.reader.protocol import Encoding
from jomed_app.progress import OnProgress
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.question_search import Shortlist
from jomed_app.types import ImageRecord, Retrieval

VQA_SYSTEMS = ("frequent", "copied", "no_retrieval", "reader", "rag")
JOINT_SYSTEM = "joint"


@dataclass(frozen=True, slots=True)
class AskedImage:
    """An image that is ready to be asked about.

    Attributes:
        record: with its questions.
        encoding: as the reader sees it.
        near: system -> known images alike, by the frozen retriever (`rag`) and, where there is
            one, the trained one (`joint`).
        profiles: system -> by which it is concluded.
        has_twin: whether a known image is its near-duplicate; None where nobody looked.
    """

    record: CaseRecord
    encoding: Encoding
    near: dict[str, Shortlist]
    profiles: dict[str, Profile]
    has_twin: bool | None = None


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
    reader: QuestionReader, images: Iterable[AskedImage], known: KnownAnswers
) -> Iterator[list[AnsweredQuestion]]:
    """Yield, image by image, what every system answers to each of its questions."""
    for image in images:
        yield [_answer(reader, image, each, known) for each in image.record.questions]


def _answer(
    reader: QuestionReader, image: AskedImage, asked: AskedQuestion, known: KnownAnswers
) -> AnsweredQuestion:
    options = CLOSED_OPTIONS if asked.is_closed else ()
    readings = {
        name: reader.read(image.encoding, near, asked.question, options)
        for name, near in image.near.items()
    }
    standard, profile = readings[REFERENCE_SYSTEM], image.profiles[REFERENCE_SYSTEM]
    has_candidates = standard.evidence.candidates is not None
    beside = standard.evidence.only("candidates", "alone")
    said = word_answer(standard.strings, conclude(beside, profile))
    answers = {
        "frequent": known.most_frequent(asked.question, asked.is_closed),
        "copied": standard.copied,
        "no_retrieval": said.alone,
        "reader": said.text,
    }
    concluded = {
        name: conclude_reading(each, image.profiles[name]) for name, each in readings.items()
    }
    answers |= {name: each.text for name, each in concluded.items()}
    return AnsweredQuestion(
        group=image.record.group or image.record.case_id,
        question=asked.question,
        reference=asked.answer,
        is_closed=asked.is_closed,
        answers=answers,
        is_inconsistent=said.is_inconsistent if has_candidates else None,
        has_twin=image.has_twin,
        readings=readings,
        probabilities={name: each.probabilities for name, each in concluded.items()},
    )


def evaluate_questions(
    task: Task,
    data: Path,
    splits: Sequence[str],
    bundle: Path,
    index: Path,
    limit: int | None,
    out: Path,
    on_progress: OnProgress,
    precision: str = "auto",
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
        precision: see `load_bundle`.

    Returns:
        The report as plain values.

    Raises:
        RecordError: if the split holds no case, or none with a question.
    """
    parts = load_bundle(bundle, precision)
    candidates = CandidateIndex.load(index, parts.retriever.fingerprint)
    engine = engine_of(parts, candidates)
    folder, records = load_corpus(task, data, splits)
    asked = [record for record in records if record.questions][:limit]
    if not asked:
        raise RecordError(f"an open task needs cases with questions, split {list(splits)} has none")
    read = [read_untrusted(record.image_in(folder), region=None) for record in asked]
    twins = have_twins(
        [each.model_input for each in read], [candidates.image(each) for each in candidates.ids]
    )
    start, found = time.perf_counter(), []
    known = known_answers(map(candidates.candidate, candidates.ids))
    images = (
        _ready(engine, *each) for each in zip(asked, read, map(bool, twins.tolist()), strict=True)
    )
    for done, answered in enumerate(
        answer_questions(engine.questions.reader, images, known), start=1
    ):
        found += answered
        on_progress(done, len(asked))
    report = build_vqa_report(
        found,
        task=task.name,
        split=",".join(splits),
        bundle=parts.title,
        index=candidates.info.name,
        seconds=time.perf_counter() - start,
    )
    write_report(report, out)
    write_answers(out, found)
    values: dict[str, Any] = report.model_dump(mode="json", by_alias=True)
    return values


def _ready(engine: Engine, record: CaseRecord, image: ImageRecord, has_twin: bool) -> AskedImage:
    """Encode an image and search with every head there is; its own group is left out."""
    encoding = engine.reader.encode([image.model_input])[0]
    view = engine.retriever.look(image.model_input, encoding)
    group = frozenset({record.group} if record.group else ())
    searches: dict[str, Retrieval] = {REFERENCE_SYSTEM: "standard"}
    if engine.retriever.has_trained_heads:
        searches[JOINT_SYSTEM] = "joint"
    return AskedImage(
        record,
        encoding,
        {
            name: engine.questions.shortlist(view, image.sha256, retrieval, group)
            for name, retrieval in searches.items()
        },
        {name: engine.questions.profile(retrieval) for name, retrieval in searches.items()},
        has_twin,
    )
