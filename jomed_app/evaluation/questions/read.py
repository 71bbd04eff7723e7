"""Reading questions with free answers, from a bundle and an index.

`frequent`: the most frequent answer to the question among the known images; looks at no image.
`copied`: what the best candidate answered to its question most alike; reads nothing.
`no_retrieval`: the reader without a candidate. `reader`: beside candidates, marginalized.
`rag`: the same, and what known images answered to questions alike votes with it.
`joint`: as `rag`, with a trained image head: right after `train questions` one that such questions
taught, with a bundle its own, taught by the bundle's task; left out where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.corpus import load_corpus
from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.data.tasks import Task
from jomed_app.data.twins import have_twins
from jomed_app.errors import RecordError
from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion, Heard, KnownAnswers
from jomed_app.evaluation.report.questions import REFERENCE_SYSTEM, build_vqa_report
from jomed_app.evaluation.report.schema import write_report
from jomed_app.imaging import read_image
from jomed_app.inference.aggregate import candidate_log_weights
from jomed_app.inference.answer_vote import VoteSettings, answer_with_vote
from jomed_app.inference.candidate_cache import CandidateShelf, encode_images
from jomed_app.inference.case_reader import CaseReader
from jomed_app.inference.free_answers import FreeAnswer, answer_freely, unite_answers
from jomed_app.inference.load import BundleParts, load_bundle
from jomed_app.models.reader.packed import CandidateInput, ImageEncoding, Reader
from jomed_app.progress import OnProgress
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.question_search import QuestionSearch, Voter
from jomed_app.retrieval.search import Hit, relative_scores
from jomed_app.types import ImageRecord

VQA_SYSTEMS = ("frequent", "copied", "no_retrieval", "reader", "rag")
JOINT_SYSTEM = "joint"
SHORTLIST = 256  # images alike, among which those asked alike are sought
MOST_VOTED = 4  # different answers of voters that the reader weighs
CLOSED_OPTIONS = ("yes", "no")  # weighed for every closed question, as the authors offer them


@dataclass(frozen=True, slots=True)
class Beside:
    """What a question is read beside.

    Attributes:
        candidates: K known images, each with its answers to questions alike, the best first.
        log_weights: (K,) nats.
        copied: the best candidate's answer to its question most alike.
        voters: what known images answered to questions alike.
    """

    candidates: Sequence[CandidateInput]
    log_weights: NDArray[np.float64]
    copied: str
    voters: Sequence[Voter] = ()


@dataclass(frozen=True, slots=True)
class AskedImage:
    """An image that is ready to be asked about.

    Attributes:
        record: with its questions.
        encoding: as the reader sees it.
        beside: question -> its candidates, by the frozen retriever.
        beside_joint: the same by the trained one; None without it.
        has_twin: whether a known image is its near-duplicate; None where nobody looked.
    """

    record: CaseRecord
    encoding: ImageEncoding
    beside: Callable[[str], Beside]
    beside_joint: Callable[[str], Beside] | None = None
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
    reader: Reader, images: Iterable[AskedImage], known: KnownAnswers
) -> Iterator[list[AnsweredQuestion]]:
    """Yield, image by image, what every system answers to each of its questions."""
    for image in images:
        answered = []
        for each in image.record.questions:
            beside = image.beside(each.question)
            said = _answer(reader, image, each, beside)
            answers = {
                "frequent": known.most_frequent(each.question, each.is_closed),
                "copied": beside.copied,
                "no_retrieval": said.plain,
                "reader": said.text,
            }
            heard = {REFERENCE_SYSTEM: _hear(said, beside)}
            if image.beside_joint is not None:
                other = image.beside_joint(each.question)
                heard[JOINT_SYSTEM] = _hear(_answer(reader, image, each, other), other)
            answers |= {
                name: answer_with_vote(one.read, one.voters, VoteSettings())
                for name, one in heard.items()
            }
            answered.append(
                AnsweredQuestion(
                    group=image.record.group or image.record.case_id,
                    question=each.question,
                    reference=each.answer,
                    is_closed=each.is_closed,
                    answers=answers,
                    is_inconsistent=said.is_inconsistent if said.candidates else None,
                    has_twin=image.has_twin,
                    heard=heard,
                )
            )
        yield answered


def _answer(reader: Reader, image: AskedImage, asked: AskedQuestion, beside: Beside) -> FreeAnswer:
    return answer_freely(
        reader,
        image.encoding,
        asked.question,
        beside.candidates,
        beside.log_weights,
        options=[*(CLOSED_OPTIONS if asked.is_closed else ()), *_voted(beside.voters)],
    )


def _voted(voters: Sequence[Voter]) -> tuple[str, ...]:
    """The answers that the first voters give: the reader weighs them beside its own."""
    return unite_answers([voter.answer for voter in voters])[:MOST_VOTED]


def _hear(said: FreeAnswer, beside: Beside) -> Heard:
    shares = np.exp(said.log_prob).tolist()
    return Heard(dict(zip(said.strings, shares, strict=True)), beside.voters)


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
    folder, records = load_corpus(task, data, splits)
    asked = [record for record in records if record.questions][:limit]
    if not asked:
        raise RecordError(f"an open task needs cases with questions, split {list(splits)} has none")
    read = [read_image(folder / record.image) for record in asked]
    twins = have_twins(
        [each.model_input for each in read], [candidates.image(each) for each in candidates.ids]
    )
    known_images = _KnownImages(parts, candidates, task)
    start, found = time.perf_counter(), []
    known = known_answers(map(candidates.candidate, candidates.ids))
    images = map(known_images.ask, asked, read, twins.tolist())
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


class _KnownImages:
    """The images of an index, as what questions about another image are read beside.

    Args:
        parts: of a bundle; candidates: the index; task: open.
    """

    def __init__(self, parts: BundleParts, candidates: CandidateIndex, task: Task) -> None:
        self._reader, self._retriever, self._index = parts.reader, parts.retriever, candidates
        self._settings = parts.profile(candidates.info.simulated).settings
        self._shelf = CandidateShelf(CaseReader(parts.reader, task), candidates)
        self._search = QuestionSearch([candidates.candidate(each) for each in candidates.ids])
        self._row_of = {each: row for row, each in enumerate(candidates.ids)}

    def ask(self, record: CaseRecord, image: ImageRecord, has_twin: bool) -> AskedImage:
        """Search for an image with every head there is."""
        encoding = encode_images(self._reader, [image.model_input])[0]
        own = self._index.ids_of_image(image.info.sha256)

        def beside(*, trained: bool) -> Callable[[str], Beside]:
            query = self._retriever.query_from_tokens(encoding.tokens[None], trained=trained)
            group = frozenset({record.group} if record.group else ())
            hits = self._index.search(query["image"], "image", SHORTLIST, own, group)
            return partial(self._beside, hits)

        has_trained = self._retriever.projections.has_trained_heads
        return AskedImage(
            record,
            encoding,
            beside(trained=False),
            beside(trained=True) if has_trained else None,
            has_twin,
        )

    def _beside(self, hits: Sequence[Hit], question: str) -> Beside:
        rows = np.array([self._row_of[hit.candidate_id] for hit in hits], dtype=np.int64)
        alike = np.array([hit.retriever_score for hit in hits])
        scores = self._search.scores(question, alike, rows)
        best = np.argsort(-scores, kind="stable")[: 2 * self._settings.k_per_head]
        known = self._shelf.inputs([hits[int(place)].candidate_id for place in best])
        shown = [
            replace(each, passage=self._search.passage(int(row), question))
            for each, row in zip(known, rows[best], strict=True)
        ]
        return Beside(
            shown,
            weigh(scores[best].tolist(), self._settings.weight_temperature),
            self._search.answer(int(rows[best[0]]), question) if len(best) else "",
            self._search.voters(question, alike, rows),
        )


def weigh(scores: Sequence[float], temperature: float) -> NDArray[np.float64]:
    """Log-weights (K,) of candidates by their scores, the best first, nats."""
    return candidate_log_weights(relative_scores(scores), temperature)
