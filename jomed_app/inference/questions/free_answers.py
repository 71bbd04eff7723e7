"""Free answers: every row says its own, all of them are weighed in every row, one comes out.

Source: arXiv:2508.17394, p(a | q) = sum over k of p(z_k | q) p(a | q, z_k).
Ours: the answers of a question are labels found on the way. They are the union of what the rows say
themselves and of what known images answered to questions alike, which is the vote. Each is scored
in every row by its summed log-likelihood, the end of the answer included, or a beginning ("left")
would always beat the whole ("left lung"); a row is then normalized over the union. From there on a
question is concluded as a diagnosis is (`conclusion.conclude`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_softmax

from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.candidate_cache import CandidateCache
from jomed_app.inference.conclusion.conclude import Conclusion, conclude
from jomed_app.inference.conclusion.evidence import Evidence, FloatArray
from jomed_app.models.reader.protocol import CandidateInput, Encoding, Reader
from jomed_app.retrieval.question_search import NUM_VOTERS, QuestionCorpus, Shortlist, Voter
from jomed_app.retrieval.search import relative_scores

MAX_ANSWER_TOKENS = 8  # ours: 19 of 20 answers of SLAKE and 9 of 10 of VQA-RAD are no longer
MOST_VOTED = 4  # different answers of voters that the reader weighs
CLOSED_OPTIONS = ("yes", "no")  # weighed for every closed question, as the authors offer them
VOTE_SHARE, VOTE_TEMPERATURE = 0.8, 0.02  # ours, not tuned: docs/results; tuning fits them anew


@dataclass(frozen=True, slots=True)
class FreeReading:
    """What was gathered of one question.

    Attributes:
        strings: U different answers; what the labels are to a diagnosis.
        evidence: over these answers.
        copied: the best candidate's answer to its question most alike; reads nothing.
    """

    strings: tuple[str, ...]
    evidence: Evidence
    copied: str = ""


@dataclass(frozen=True, slots=True)
class FreeAnswer:
    """What is answered to one question, and what each candidate led to.

    Attributes:
        text: the answer of greatest probability.
        alone: the reader's own answer without a candidate.
        candidates: each candidate's answer of greatest probability, K of them.
        probabilities: answer -> its final probability.
    """

    text: str
    alone: str
    candidates: tuple[str, ...]
    probabilities: dict[str, float]

    @property
    def is_inconsistent(self) -> bool:
        """Whether the candidates lead to more than one answer (arXiv:2508.17394)."""
        return len(set(self.candidates)) > 1


def open_profile(weight_temperature: float) -> Profile:
    """The profile of questions with free answers; nothing of a task's own labels applies.

    Args:
        weight_temperature: divides the candidates' head-normalized scores.
    """
    return Profile(
        settings=Settings(
            weight_temperature=weight_temperature,
            num_neighbors=NUM_VOTERS,
            vote_share=VOTE_SHARE,
            vote_temperature=VOTE_TEMPERATURE,
        )
    )


class QuestionReader:
    """Reads questions about an image beside known images that were asked alike.

    Args:
        reader: the vision-language model.
        known: images with questions.
        candidates: the same images as the reader takes them.
        num_candidates: read per question.
    """

    def __init__(
        self,
        reader: Reader,
        known: QuestionCorpus,
        candidates: CandidateCache,
        num_candidates: int,
    ) -> None:
        self._reader = reader
        self._known = known
        self._candidates = candidates
        self._num_candidates = num_candidates

    def read(
        self, query: Encoding, near: Shortlist, question: str, options: Sequence[str] = ()
    ) -> FreeReading:
        """Read one question.

        Args:
            query: the encoded image.
            near: known images alike (`QuestionCorpus.shortlist`).
            question: as asked.
            options: answers that are weighed in any case, such as yes and no.
        """
        ranked = self._known.rank(near, question)
        ids, scores = ranked.ids[: self._num_candidates], ranked.scores[: self._num_candidates]
        shown = [
            replace(each, passage=self._known.passage(name, question))
            for each, name in zip(self._candidates.inputs(ids), ids, strict=True)
        ]
        read = read_freely(
            self._reader,
            query,
            question,
            shown,
            relative_scores(scores.tolist()),
            voters=self._known.voters(near, question),
            options=options,
        )
        return replace(read, copied=self._known.answer(ids[0], question) if ids else "")


def read_freely(
    reader: Reader,
    query: Encoding,
    question: str,
    candidates: Sequence[CandidateInput],
    scores: Sequence[float],
    *,
    voters: Sequence[Voter] = (),
    options: Sequence[str] = (),
    max_tokens: int = MAX_ANSWER_TOKENS,
) -> FreeReading:
    """Let every row say its own answer, then weigh all answers in every row.

    Args:
        reader: reads all rows at once.
        query: the encoded image.
        question: as asked.
        candidates: K >= 0 known cases; without any, the query is read alone.
        scores: K head-normalized retriever scores.
        voters: what known images answered to questions alike, the most alike first.
        options: answers that are weighed in any case, such as yes and no.
        max_tokens: length at which an answer is cut, >= 1.

    Raises:
        ValueError: if max_tokens < 1 or the scores do not fit the candidates.
    """
    if len(scores) != len(candidates):
        raise ValueError(
            f"scores must be one number per candidate, found {len(scores)} for "
            f"{len(candidates)} candidates"
        )
    reading = reader.read(query, question, candidates)
    said = reader.generate(reading, max_tokens)
    voted = unite_answers([voter.answer for voter in voters])
    weighed = unite_answers([*said, *options, *voted[:MOST_VOTED]])
    log_likelihood = reader.score(reading, weighed, complete=True).double().numpy()
    return gather_answers(weighed, log_likelihood, scores, voters)


def gather_answers(
    weighed: Sequence[str],
    log_likelihood: FloatArray,
    scores: Sequence[float],
    voters: Sequence[Voter] = (),
) -> FreeReading:
    """Put together what the rows and the voters say.

    Args:
        weighed: W different answers that the reader weighed.
        log_likelihood: (K + 1, W) log p(answer | row), nats, the row without a candidate last.
        scores: K head-normalized retriever scores.
        voters: their answers are weighed too, or have no probability by the reader.
    """
    strings = unite_answers([*weighed, *(voter.answer for voter in voters)])
    place = {answer_key(text): number for number, text in enumerate(strings)}
    rows = np.full((len(log_likelihood), len(strings)), -np.inf)
    columns = [place[answer_key(text)] for text in weighed]
    rows[:, columns] = log_softmax(log_likelihood, axis=-1)
    has_candidates = len(rows) > 1
    return FreeReading(
        strings,
        Evidence(
            candidates=rows[:-1] if has_candidates else None,
            scores=np.asarray(scores, dtype=np.float64) if has_candidates else None,
            is_text=np.zeros(len(scores), dtype=np.bool_) if has_candidates else None,
            alone=rows[-1],
            neighbor_scores=np.array([voter.score for voter in voters]) if voters else None,
            neighbor_labels=(
                np.array([place[answer_key(voter.answer)] for voter in voters], dtype=np.intp)
                if voters
                else None
            ),
        ),
    )


def word_answer(strings: Sequence[str], concluded: Conclusion) -> FreeAnswer:
    """Word the conclusion of one question.

    Args:
        strings: U answers.
        concluded: over them, without leading axes.
    """
    weighed = concluded.weighed
    beside = [] if weighed.candidates is None else concluded.predictions().tolist()
    alone = "" if weighed.alone is None else strings[int(weighed.alone.argmax())]
    return FreeAnswer(
        text=strings[int(concluded.log_prob.argmax())],
        alone=alone,
        candidates=tuple(strings[place] for place in beside),
        probabilities=dict(zip(strings, concluded.probabilities.tolist(), strict=True)),
    )


def conclude_reading(reading: FreeReading, profile: Profile) -> FreeAnswer:
    """The answer that all evidence of a question leads to."""
    return word_answer(reading.strings, conclude(reading.evidence, profile))


def unite_answers(answers: Sequence[str]) -> tuple[str, ...]:
    """Return the different answers in the order of their first mention; case does not count.

    Nothing said at all is one answer, the empty one.
    """
    found: dict[str, str] = {}
    for answer in answers:
        text = " ".join(answer.split())
        if text:
            found.setdefault(answer_key(text), text)
    return tuple(found.values()) or ("",)


def answer_key(text: str) -> str:
    """An answer as it is told apart from others: lower case, single spaces."""
    return " ".join(text.casefold().split())
