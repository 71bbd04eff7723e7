"""From evidence and a profile to a conclusion: pure arithmetic, for one case or for a thousand.

Source: arXiv:2508.17394, p(a | q) = sum over z of p(z | q) p(a | q, z).
Ours: the vote and the image alone are mixed in, the whole is calibrated, and a conformal set that
holds every label abstains.

Letters in docstrings: K candidates, C answers (labels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.aggregate import (
    TIE_TOLERANCE_NATS,
    candidate_predictions,
    consistency_states,
    guided_log_prob,
    head_log_weights,
    leave_one_out,
    marginalize,
)
from jomed_app.inference.conclusion.ensemble import FloatArray, leave_new_labels_to_vote, mix
from jomed_app.inference.conclusion.evidence import Evidence
from jomed_app.inference.conclusion.standing import standings
from jomed_app.retrieval.vote import neighbor_vote


@dataclass(frozen=True, slots=True)
class Weighed:
    """Evidence with its weights: every voice in the form in which it is mixed.

    Attributes:
        log_weights: (..., K) log p(candidate | query), nats, normalized; -inf leaves one out.
        candidates: (..., K, C) log p(label | query, candidate), nats.
        alone: (..., C) the reader without a candidate, nats.
        vote: (..., C) shares of the nearest cases.
        image: (..., C) probabilities of the image alone.
        known: (..., K) label index of each candidate's known diagnosis, or None.
        is_new: (C,) True for a label that only the corpus knows.
    """

    log_weights: FloatArray | None = None
    candidates: FloatArray | None = None
    alone: FloatArray | None = None
    vote: FloatArray | None = None
    image: FloatArray | None = None
    known: NDArray[np.intp] | None = None
    is_new: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the evidence says, with leading axes as it has them.

    Attributes:
        weighed: what it was made of.
        log_prob: (..., C) calibrated, nats.
        vote_share, image_share: of these voices in the mixture; 0 for one that says nothing.
        profile: by which it was concluded.
    """

    weighed: Weighed
    log_prob: FloatArray
    vote_share: float
    image_share: float
    profile: Profile

    @property
    def probabilities(self) -> FloatArray:
        """(..., C) calibrated; sums to 1."""
        return np.asarray(np.exp(self.log_prob))

    @property
    def states(self) -> NDArray[np.object_]:
        """(...) `ConsistencyState` of the candidates; whether the case abstains is said apart.

        Raises:
            ValueError: if there is no candidate.
        """
        weighed = self.weighed
        if weighed.candidates is None or weighed.log_weights is None:
            raise ValueError("a state needs candidates, found none; read some")
        return consistency_states(
            weighed.candidates,
            query_only=None if weighed.alone is None else weighed.alone.argmax(axis=-1),
            max_spread=self.profile.settings.max_spread,
            counts=np.isfinite(weighed.log_weights),
        )

    @property
    def standings(self) -> NDArray[np.object_]:
        """(...) `Standing` of each case; whether it abstains is said apart.

        Raises:
            ValueError: if there is no candidate.
        """
        weighed = self.weighed
        states = self.states
        assert weighed.log_weights is not None, "states have asked for candidates"
        return standings(
            states,
            self.predictions(),
            self.log_prob.argmax(axis=-1),
            known=weighed.known,
            counts=np.isfinite(weighed.log_weights),
        )

    @property
    def abstains(self) -> NDArray[np.bool_]:
        """(...) whether no label can be ruled out, so that no answer is given."""
        conformal = self.profile.calibration.conformal
        if conformal is None:
            return np.zeros(self.log_prob.shape[:-1], dtype=np.bool_)
        return np.asarray(conformal.members(self.probabilities).all(axis=-1))

    def decisive(self) -> int | None:
        """The candidate of a single case whose removal flips the answer, the one it costs most.

        A tie within `TIE_TOLERANCE_NATS` is no flip; a single candidate is never decisive.
        """
        weighed = self.weighed
        if weighed.candidates is None or weighed.log_weights is None or len(weighed.candidates) < 2:
            return None
        rest = leave_one_out(weighed.log_weights, weighed.candidates)
        without = np.exp(_calibrated(weighed, rest, self.profile)[0])
        best = int(self.log_prob.argmax())
        flips = without.max(axis=-1) > without[:, best] + TIE_TOLERANCE_NATS
        if not flips.any():
            return None
        return int(np.where(flips, without[:, best], np.inf).argmin())

    def predictions(self) -> NDArray[np.intp]:
        """(..., K) the answer beside each candidate."""
        assert self.weighed.candidates is not None, "asked for where candidates were read"
        return candidate_predictions(self.weighed.candidates)


def conclude(evidence: Evidence, profile: Profile) -> Conclusion:
    """Weigh the evidence and combine it.

    Args:
        evidence: one voice at least says something.
        profile: settings and calibration, fitted on cases that nothing was trained on.

    Raises:
        ValueError: if nothing is said, or shapes do not fit.
    """
    return combine(weigh(evidence, profile.settings), profile)


def weigh(evidence: Evidence, settings: Settings) -> Weighed:
    """Turn scores into weights, neighbors into a vote, and the candidates' influence up.

    Args:
        evidence: any voices.
        settings: temperatures, offsets, guidance and the number of voters.
    """
    log_weights, candidates, vote = None, evidence.candidates, None
    if candidates is not None and evidence.scores is not None and evidence.is_text is not None:
        log_weights = candidate_weights(evidence.scores, evidence.is_text, settings)
        if evidence.alone is not None and settings.guidance:
            candidates = guided_log_prob(candidates, evidence.alone, settings.guidance)
    if evidence.neighbor_scores is not None and evidence.neighbor_labels is not None:
        near = slice(settings.num_neighbors)
        scores = evidence.neighbor_scores[..., near]
        if np.isfinite(scores).any(axis=-1).all():
            vote = neighbor_vote(
                scores,
                evidence.neighbor_labels[..., near],
                evidence.num_labels,
                settings.vote_temperature,
            )
    return Weighed(
        log_weights,
        candidates,
        evidence.alone,
        vote,
        evidence.image,
        evidence.known,
        evidence.is_new,
    )


def candidate_weights(
    scores: FloatArray, is_text: NDArray[np.bool_], settings: Settings
) -> FloatArray:
    """(..., K) log p(candidate | query), nats; known before a candidate is read."""
    return head_log_weights(scores, is_text, settings.weight_temperature, settings.text_offset)


def combine(weighed: Weighed, profile: Profile) -> Conclusion:
    """Marginalize over the candidates, mix in the other voices, calibrate.

    Args:
        weighed: one voice at least says something.
        profile: shares and calibration.

    Raises:
        ValueError: as `conclude`.
    """
    reader = weighed.alone
    if weighed.candidates is not None and weighed.log_weights is not None:
        reader = marginalize(weighed.log_weights, weighed.candidates)
    log_prob, vote_share, image_share = _calibrated(weighed, reader, profile)
    return Conclusion(weighed, log_prob, vote_share, image_share, profile)


def _calibrated(
    weighed: Weighed, reader: FloatArray | None, profile: Profile
) -> tuple[FloatArray, float, float]:
    """Mix and scale; `reader` is (..., C) or, with each candidate left out in turn, (K, C)."""
    settings = profile.settings
    vote_share = settings.vote_share if weighed.vote is not None else 0.0
    image_share = settings.image_share if weighed.image is not None else 0.0
    parts = [
        (said, share)
        for said, share in ((weighed.vote, vote_share), (weighed.image, image_share))
        if said is not None
    ]
    mixed = mix(reader, parts)
    if weighed.is_new is not None and weighed.is_new.any() and weighed.vote is not None:
        mixed = leave_new_labels_to_vote(mixed, weighed.vote, weighed.is_new)
    return profile.calibration.scaling.apply(mixed), vote_share, image_share
