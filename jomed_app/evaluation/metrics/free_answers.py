"""How right free answers are: open questions by token recall, closed ones by accuracy.

Source: arXiv:2410.02615 and the evaluation code of its authors (LLaVA-Med's): open = share of the
reference's words that the prediction holds; closed = the reference stands in the prediction;
the mean of both is quoted.
Ours: the reference of a closed question must stand there in whole words, or "no" would be found in
"normal"; number words and digits count as the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.metrics.intervals import Interval, bootstrap_interval
from jomed_app.inference.questions.free_answers import FreeReading

_NOT_WORD = re.compile(r"[^\w]+")
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip


def answer_words(text: str) -> list[str]:
    """Split an answer into words as they are compared: lower case, no marks, no articles.

    Example:
        >>> answer_words("The Left-sided lung, two nodules.")
        ['left', 'sided', 'lung', '2', 'nodules']
    """
    words = _NOT_WORD.sub(" ", text.casefold()).split()
    return [_NUMBERS.get(word, word) for word in words if word not in _ARTICLES]


def token_recall(prediction: str, reference: str) -> float:
    """Return the share of the reference's words that the prediction holds, in [0, 1].

    A word that the reference has twice must stand twice. A reference without words counts as held.
    """
    said, wanted = Counter(answer_words(prediction)), Counter(answer_words(reference))
    return (said & wanted).total() / wanted.total() if wanted else 1.0


def is_contained(prediction: str, reference: str) -> bool:
    """Whether the reference stands in the prediction, in whole words and in order."""
    said, wanted = answer_words(prediction), answer_words(reference)
    places = range(len(said) - len(wanted) + 1)
    return any(said[place : place + len(wanted)] == wanted for place in places)


def is_exact(prediction: str, reference: str) -> bool:
    """Whether both have the same words in the same order."""
    return answer_words(prediction) == answer_words(reference)


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """One question with what every system answered.

    Attributes:
        group: of its image; a group's questions are drawn together in a bootstrap.
        question: as asked; reference: its answer; is_closed: whether it offers its answers.
        answers: system -> answer; the same systems for all questions.
        is_inconsistent: whether the candidates led to different answers; None without any.
        has_twin: whether a known image is the image's near-duplicate; None where nobody looked.
        readings: system -> what its answer was concluded from.
        probabilities: system -> answer -> final probability, of those that weigh answers.
    """

    group: str
    question: str
    reference: str
    is_closed: bool
    answers: Mapping[str, str]
    is_inconsistent: bool | None = None
    has_twin: bool | None = None
    readings: Mapping[str, FreeReading] = field(default_factory=dict)
    probabilities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class VqaScores:
    """The figures of one system on some questions.

    Args:
        asked: one or more questions.
        system: whose answers are scored.

    Raises:
        ValueError: if there is no question, or one without an answer of this system.
    """

    def __init__(self, asked: Sequence[AnsweredQuestion], system: str) -> None:
        if not asked:
            raise ValueError("scores need one question or more, found none")
        if any(system not in one.answers for one in asked):
            raise ValueError(f"every question must have an answer of '{system}', found one without")
        pairs = [(one.answers[system], one.reference) for one in asked]
        self.is_closed = np.array([one.is_closed for one in asked])
        self.groups = [one.group for one in asked]
        self.score = np.array(
            [
                float(is_contained(*pair)) if one.is_closed else token_recall(*pair)
                for one, pair in zip(asked, pairs, strict=True)
            ]
        )
        self.exact = np.array([is_exact(*pair) for pair in pairs])

    def open_recall(self, index: NDArray[np.intp] | None = None) -> float:
        """Mean token recall of the open questions at these positions (all), NaN without any."""
        return _mean(self._at(index)[0])

    def closed_accuracy(self, index: NDArray[np.intp] | None = None) -> float:
        """Share of the closed questions at these positions that are right, NaN without any."""
        return _mean(self._at(index)[1])

    def mean(self, index: NDArray[np.intp] | None = None) -> float:
        """Mean of open recall and closed accuracy, each counting half; NaN without either."""
        return float(np.mean([_mean(part) for part in self._at(index)]))

    def interval(self, name: str, seed: int = 0, num_resamples: int = 1000) -> Interval:
        """Return `open_recall`, `closed_accuracy` or `mean` with its bootstrap over images."""
        return bootstrap_interval(
            getattr(self, name),
            self.groups,
            np.random.default_rng(seed),
            num_resamples=num_resamples,
        )

    def _at(
        self, index: NDArray[np.intp] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores of the open and of the closed questions at these positions."""
        places = np.arange(len(self.score)) if index is None else index
        closed = self.is_closed[places]
        return self.score[places][~closed], self.score[places][closed]


class KnownAnswers:
    """Answers that need no model: what was mostly answered to a question before.

    Args:
        known: question, answer and whether it is closed, of the known cases.
    """

    def __init__(self, known: Sequence[tuple[str, str, bool]]) -> None:
        self._by_question: dict[str, Counter[str]] = {}
        self._by_kind: dict[bool, Counter[str]] = {}
        for question, answer, is_closed in known:
            self._by_question.setdefault(_key(question), Counter())[answer.casefold()] += 1
            self._by_kind.setdefault(is_closed, Counter())[answer.casefold()] += 1

    def most_frequent(self, question: str, is_closed: bool) -> str:
        """Return the most frequent answer to this very question, else to any of its kind."""
        counts = self._by_question.get(_key(question)) or self._by_kind.get(is_closed)
        return min(counts, key=lambda text: (-counts[text], text)) if counts else ""


def _key(question: str) -> str:
    return " ".join(answer_words(question))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
