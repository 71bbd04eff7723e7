"""Reading one case for every system at once: beside found, drawn, misleading and no candidates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.systems import FloatArray, RawCase, ScoringSettings
from jomed_app.inference.aggregate import guided_log_prob, marginalize
from jomed_app.inference.case_reader import CaseReader, describe_shares
from jomed_app.models.pixels import Letterbox
from jomed_app.models.reader.packed import CandidateInput, ImageEncoding


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates for one query, found in one way.

    Attributes:
        inputs: K candidates for the reader.
        labels: (K,) their label indexes.
        scores: (K,) head-normalized retriever scores; all equal for random ones.
        is_text: (K,) True where the text head found it best.
    """

    inputs: Sequence[CandidateInput]
    labels: NDArray[np.intp]
    scores: FloatArray
    is_text: NDArray[np.bool_]


def read_case(
    reader: CaseReader,
    query: ImageEncoding,
    retrieved: Candidates,
    drawn: Candidates,
    neighbors: tuple[NDArray[np.intp], FloatArray],
    backbone: FloatArray,
    settings: ScoringSettings,
    *,
    size: tuple[int, int],
    asks_box: bool = False,
    adversarial: Candidates | None = None,
) -> RawCase:
    """Read one case beside retrieved, random and no candidates in one batch.

    Adversarial candidates are read apart, when the clock has stopped: they change neither the other
    answers nor the time of a case.

    Args:
        reader: asks the task's question.
        query: the encoded image.
        retrieved: candidates that a search found.
        drawn: candidates drawn at random.
        neighbors: labels and scores of the nearest corpus images, best first.
        backbone: (C,) log-probabilities of the linear head.
        settings: decide which label the box belongs to.
        size: (rows, columns) of the query image, px.
        asks_box: whether the reader says a box of its own.
        adversarial: candidates of another class than the true one; None reads none.
    """
    start = time.perf_counter()
    count = len(retrieved.inputs)
    case = reader.read(query, reader.task.question, [*retrieved.inputs, *drawn.inputs])
    log_weights = settings.log_weights(retrieved.scores, retrieved.is_text)
    guided = guided_log_prob(case.log_prob[:count], case.plain_log_prob, settings.guidance)
    label = int(settings.scaling.apply(marginalize(log_weights, guided)).argmax())
    place = Letterbox(*size, reader.reader.image_size)
    said = None
    if asks_box:
        shares = describe_shares(np.exp(log_weights), len(case.log_prob) + 1)
        said = reader.describe(case, shares, label).box
    own = place.to_image(said) if said else None
    raw = RawCase(
        retrieved=case.log_prob[:count],
        drawn=case.log_prob[count:],
        plain=case.plain_log_prob,
        backbone=backbone,
        retrieved_labels=retrieved.labels,
        drawn_labels=drawn.labels,
        neighbor_labels=neighbors[0],
        neighbor_scores=neighbors[1],
        scores=retrieved.scores,
        is_text=retrieved.is_text,
        boxes=((own,) if own else ()) if asks_box else None,
        seconds=time.perf_counter() - start,
    )
    if adversarial is None:
        return raw
    apart = reader.read(query, reader.task.question, adversarial.inputs)
    return replace(raw, adversarial=apart.log_prob, adversarial_labels=adversarial.labels)
