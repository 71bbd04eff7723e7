"""What was gathered of one held-out case, for every system at once; kept before any setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.conclusion.evidence import Evidence, FloatArray
from jomed_app.models.localizer.detection import Detection, heat_in_image
from jomed_app.models.pixels import Letterbox


def _no_labels() -> NDArray[np.intp]:
    return np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Located:
    """What the localizer says of one image, px.

    Attributes:
        box: of the main finding; None where it lies outside of the image.
        presence: probability that there is a finding.
        dense: the best score of its dense head, in [0, 1].
        heat_peak: (x, y), where its class query looked most.
        score: calibrated probability that the box is true; None until it is concluded.
        is_shown: whether that score reaches the threshold.
    """

    box: Box | None
    presence: float
    dense: float
    heat_peak: tuple[float, float] | None = None
    score: float | None = None
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class HeldOutCase:
    """All that was gathered of one case whose truth is known.

    Attributes:
        evidence: beside the candidates of a search, as the app gathers it.
        labels: (K,) label indexes of these candidates; candidate_ids: K ids.
        backbone: (C,) log-probabilities of the linear head on the tower.
        drawn, adversarial: evidence beside candidates drawn at random, and beside the nearest cases
            of another class than the true one; None where the reader was not asked.
        drawn_labels, adversarial_labels: their label indexes.
        boxes: the reader's own, px; None where it was not asked.
        located: the localizer's answer; None where it was not asked.
        seconds: wall-clock of reading and describing.
    """

    evidence: Evidence
    labels: NDArray[np.intp]
    backbone: FloatArray
    candidate_ids: tuple[str, ...] = ()
    drawn: Evidence | None = None
    drawn_labels: NDArray[np.intp] = field(default_factory=_no_labels)
    adversarial: Evidence | None = None
    adversarial_labels: NDArray[np.intp] = field(default_factory=_no_labels)
    boxes: tuple[Box, ...] | None = None
    located: Located | None = None
    seconds: float = 0.0

    def with_detection(self, found: Detection, place: Letterbox) -> HeldOutCase:
        """The same with what the localizer says; its class query is the image's own voice.

        Args:
            found: by the localizer.
            place: how the image lies in its square.
        """
        heat = heat_in_image(found.attention, place).numpy()
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        x = (float(column) + 0.5) * place.columns / heat.shape[1]
        y = (float(row) + 0.5) * place.rows / heat.shape[0]
        said = np.asarray(found.class_prob.tolist(), dtype=np.float64)
        image = np.pad(said, (0, len(self.backbone) - len(said)))
        return replace(
            self,
            evidence=replace(self.evidence, image=image),
            located=Located(place.to_image(found.box), found.presence, found.scores[0], (x, y)),
        )

    def with_image(self, probabilities: FloatArray) -> HeldOutCase:
        """The same with (C,) probabilities that the image alone gives."""
        return replace(self, evidence=replace(self.evidence, image=probabilities))

    def with_box_score(self, profile: Profile, empty: Sequence[int]) -> HeldOutCase:
        """Say how sure the localizer's box is, and whether it is drawn, as the app does.

        Args:
            profile: how the answer is concluded, how boxes are scored, and the threshold.
            empty: indexes of the labels without a finding.
        """
        if self.located is None:
            return self
        probabilities = conclude(self.evidence, profile).probabilities
        located = self.located
        score = profile.calibration.boxes.of_answer(
            probabilities, empty, located.presence, located.dense
        )
        is_shown = score >= profile.settings.box_threshold
        return replace(self, located=replace(located, score=score, is_shown=is_shown))

    def merged(self, groups: Sequence[Sequence[int]]) -> HeldOutCase:
        """The same with labels merged (the two-class question): their probabilities add up.

        What was read beside adversarial candidates is left out: of another class under the task's
        own labels, they may be of the query's class once labels are merged.

        Args:
            groups: label indexes that become one label each, in order.
        """
        place_of = np.zeros(sum(map(len, groups)), dtype=np.intp)
        for place, members in enumerate(groups):
            place_of[list(members)] = place
        return replace(
            self,
            evidence=merge_labels(self.evidence, groups, place_of),
            labels=place_of[self.labels],
            backbone=_added_up(self.backbone, groups),
            drawn=None if self.drawn is None else merge_labels(self.drawn, groups, place_of),
            drawn_labels=place_of[self.drawn_labels],
            adversarial=None,
            adversarial_labels=_no_labels(),
        )


def merge_labels(
    evidence: Evidence, groups: Sequence[Sequence[int]], place_of: NDArray[np.intp]
) -> Evidence:
    """Add up what every voice gives to merged labels.

    Args:
        evidence: with leading axes or without.
        groups: label indexes that become one label each, in order.
        place_of: (C,) the group of each label.
    """
    neighbors = evidence.neighbor_labels
    return replace(
        evidence,
        candidates=_maybe_added_up(evidence.candidates, groups),
        alone=_maybe_added_up(evidence.alone, groups),
        neighbor_labels=None if neighbors is None else place_of[neighbors],
        image=(
            None
            if evidence.image is None
            else np.stack([evidence.image[..., list(each)].sum(-1) for each in groups], axis=-1)
        ),
        is_new=None,
    )


def _maybe_added_up(
    log_prob: FloatArray | None, groups: Sequence[Sequence[int]]
) -> FloatArray | None:
    return None if log_prob is None else _added_up(log_prob, groups)


def _added_up(log_prob: FloatArray, groups: Sequence[Sequence[int]]) -> FloatArray:
    columns = [np.logaddexp.reduce(log_prob[..., list(each)], axis=-1) for each in groups]
    return np.stack(columns, axis=-1)
