"""The systems that are compared, concluded by arithmetic from what was read of one case.

`backbone`: the vision tower with a linear head. `image_alone`: the localizer's class query, from
later tower stages of its own (the linear head again where a task has no boxes). `knn`: the share of
each label among the nearest corpus images. `no_retrieval`: the reader without a candidate.
`random_candidates`: the reader beside candidates drawn at random. `adversarial_candidates`: beside
the nearest cases of another class than the query's true one; the truth chooses them, so this is a
measure of how far misleading candidates lead, for evaluation only. `reader`: the reader beside the
frozen retriever's candidates, with the boxes it says itself. `rag`: that, mixed with the vote of
the nearest cases and with `image_alone`, and with the localizer's boxes; what the app shows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.evaluation.report.scores import SystemScores
from jomed_app.inference.aggregate import (
    candidate_log_weights,
    consistency_state,
    guided_log_prob,
    head_log_weights,
    marginalize,
)
from jomed_app.inference.calibration.box_score import BoxScore
from jomed_app.inference.calibration.probabilities import Scaling
from jomed_app.inference.ensemble import hear_index_only, mix_opinions
from jomed_app.inference.settings import EngineSettings
from jomed_app.models.localizer.detection import Found, heat_in_image
from jomed_app.models.pixels import Letterbox
from jomed_app.retrieval.vote import neighbor_vote

FloatArray = NDArray[np.float64]
ADVERSARIAL = "adversarial_candidates"
SYSTEMS = (
    "backbone",
    "image_alone",
    "knn",
    "no_retrieval",
    "random_candidates",
    ADVERSARIAL,
    "reader",
    "rag",
)
NEIGHBORS = 64  # nearest cases kept; how many of them vote is a setting


@dataclass(frozen=True, slots=True)
class RawCase:
    """What was read of one case, before any setting is applied.

    Attributes:
        retrieved, drawn: (K, C) log p(label | query, candidate), nats.
        plain: (C,) without a candidate.
        backbone: (C,) of the linear head.
        retrieved_labels, drawn_labels: (K,); neighbor_labels: (n,) label indexes.
        neighbor_scores: (n,) inner products of the nearest cases, best first.
        scores: (K,) head-normalized retriever scores; is_text: (K,) found by the text head.
        boxes: the reader's own, px of the query image; its location tokens said them; None where it
            was not asked.
        seconds: wall-clock of reading and describing.
        located: the localizer's box, px; presence: its probability that there is a finding.
        dense: the best score of its dense head, in [0, 1].
        class_prob: (C,) of its class query; empty where it was not asked.
        heat_peak: (x, y) px, where its class query looked most; None where it was not asked.
        box_score: calibrated probability that the box is true; None until it is concluded.
        is_box_shown: whether that score reaches the threshold.
        adversarial: (K', C) beside the nearest cases of another class than the true one; None where
            the reader was not asked; adversarial_labels: (K',), empty where it was not.
    """

    retrieved: FloatArray
    drawn: FloatArray
    plain: FloatArray
    backbone: FloatArray
    retrieved_labels: NDArray[np.intp]
    drawn_labels: NDArray[np.intp]
    neighbor_labels: NDArray[np.intp]
    neighbor_scores: FloatArray
    scores: FloatArray
    is_text: NDArray[np.bool_]
    boxes: tuple[Box, ...] | None
    seconds: float
    located: tuple[Box, ...] = ()
    presence: float = 0.0
    dense: float = 0.0
    class_prob: tuple[float, ...] = ()
    heat_peak: tuple[float, float] | None = None
    box_score: float | None = None
    is_box_shown: bool = True
    adversarial: FloatArray | None = None
    adversarial_labels: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    @property
    def image_opinion(self) -> FloatArray:
        """(C,) what the image alone says: the localizer's class query, else the linear head."""
        return np.array(self.class_prob) if self.class_prob else np.exp(self.backbone)

    def with_found(self, found: Found, place: Letterbox) -> RawCase:
        """The same with what the localizer says.

        Args:
            found: by the localizer.
            place: how the image lies in its square.
        """
        box = place.to_image(found.box)
        heat = heat_in_image(found.attention, place).numpy()
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        x = (float(column) + 0.5) * place.columns / heat.shape[1]
        y = (float(row) + 0.5) * place.rows / heat.shape[0]
        return replace(
            self,
            located=(box,) if box else (),
            presence=found.presence,
            dense=found.scores[0],
            class_prob=tuple(found.class_prob.tolist()),
            heat_peak=(x, y),
        )


@dataclass(frozen=True, slots=True)
class ScoringSettings(EngineSettings):
    """How candidates are weighed, as the engine does it, and the final scaling.

    Attributes:
        alone_neighbors: cases that vote in the baseline `knn`, fitted for the vote alone;
            alone_temperature: divides their scores.
        scaling: of the final probability; box_score: how sure a box is.
        num_index_only: labels at the end that only the known cases have: in `rag`, they get what
            the vote gives them; see `opinions.hear_index_only`.
    """

    alone_neighbors: int = 32
    alone_temperature: float = 0.1
    scaling: Scaling = field(default_factory=Scaling)
    box_score: BoxScore = field(default_factory=BoxScore)
    num_index_only: int = 0

    def log_weights(self, scores: FloatArray, is_text: NDArray[np.bool_]) -> FloatArray:
        """(K,) nats, normalized; see `aggregate.head_log_weights`."""
        return head_log_weights(scores, is_text, self.weight_temperature, self.text_offset)

    def vote(self, raw: RawCase, num_labels: int) -> FloatArray:
        """(C,) vote of the nearest cases, as it is mixed in."""
        return _vote(raw, num_labels, self.num_neighbors, self.vote_temperature)

    def vote_alone(self, raw: RawCase, num_labels: int) -> FloatArray:
        """(C,) vote of the nearest cases, as a system of its own."""
        return _vote(raw, num_labels, self.alone_neighbors, self.alone_temperature)


def _vote(raw: RawCase, num_labels: int, count: int, temperature: float) -> FloatArray:
    near = slice(count)
    return neighbor_vote(
        raw.neighbor_scores[near], raw.neighbor_labels[near], num_labels, temperature
    )


def show_located(raw: RawCase, settings: ScoringSettings, empty: Sequence[int]) -> RawCase:
    """Say how sure the localizer's box is, and whether it is drawn, as the app does.

    Args:
        raw: with the task's own labels.
        settings: how the answer is concluded, how boxes are scored, and the threshold.
        empty: indexes of the labels without a finding.
    """
    score = settings.box_score.of(*box_parts(raw, settings, empty))
    return replace(raw, box_score=score, is_box_shown=score >= settings.box_threshold)


def box_parts(
    raw: RawCase, settings: ScoringSettings, empty: Sequence[int]
) -> tuple[float, float, float]:
    """What `BoxScore.of` weighs: final probability of a finding, presence, dense score."""
    probabilities = conclude_systems(raw, settings, ("rag",))["rag"].probabilities
    finding = min(1.0, max(0.0, 1.0 - float(probabilities[list(empty)].sum())))
    return finding, raw.presence, raw.dense


def conclude_systems(
    raw: RawCase, settings: ScoringSettings, systems: Collection[str] = SYSTEMS
) -> Mapping[str, SystemScores]:
    """Every system's answer from what was read; pure arithmetic.

    A system that was not read is left out: `adversarial_candidates` in most readings.
    """
    num_labels = len(raw.plain)
    vote = settings.vote(raw, num_labels)
    plain = int(raw.plain.argmax())
    weights = settings.log_weights(raw.scores, raw.is_text)
    equal = candidate_log_weights(np.ones(len(raw.drawn)))
    guided = guided_log_prob(raw.retrieved, raw.plain, settings.guidance)
    drawn = guided_log_prob(raw.drawn, raw.plain, settings.guidance)

    def marginal(
        log_prob: FloatArray,
        log_weights: FloatArray,
        labels: NDArray[np.intp],
        opinions: Sequence[tuple[FloatArray, float]] = (),
        **more: object,
    ) -> SystemScores:
        mixed = mix_opinions(marginalize(log_weights, log_prob), opinions)
        if opinions and settings.num_index_only:
            is_new = np.arange(num_labels) >= num_labels - settings.num_index_only
            mixed = hear_index_only(mixed, vote, is_new)
        return SystemScores(
            probabilities=np.exp(settings.scaling.apply(mixed)),
            candidate_probabilities=np.exp(log_prob),
            weights=np.exp(log_weights),
            candidate_labels=labels,
            state=consistency_state(
                log_prob, query_only_prediction=plain, max_spread=settings.max_spread
            ),
            **more,  # type: ignore[arg-type]
        )

    scores = {
        "backbone": SystemScores(np.exp(raw.backbone)),
        "image_alone": SystemScores(raw.image_opinion),
        "knn": SystemScores(settings.vote_alone(raw, num_labels)),
        "no_retrieval": SystemScores(np.exp(settings.scaling.apply(raw.plain))),
        "random_candidates": marginal(drawn, equal, raw.drawn_labels),
        "reader": marginal(guided, weights, raw.retrieved_labels, boxes=raw.boxes),
        "rag": marginal(
            guided,
            weights,
            raw.retrieved_labels,
            [(vote, settings.vote_share), (raw.image_opinion, settings.image_share)],
            boxes=raw.located if raw.is_box_shown else (),
            seconds=raw.seconds,
            scored_boxes=tuple((box, raw.box_score or 0.0) for box in raw.located),
            heat_peak=raw.heat_peak,
        ),
    }
    if raw.adversarial is not None:
        misled = guided_log_prob(raw.adversarial, raw.plain, settings.guidance)
        alike = candidate_log_weights(np.ones(len(misled)))
        scores[ADVERSARIAL] = marginal(misled, alike, raw.adversarial_labels)
    return {name: scores[name] for name in SYSTEMS if name in systems and name in scores}
