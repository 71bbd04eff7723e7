"""Fit what a bundle carries on held-out cases: weights, guidance, shares, then the calibration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.fit.states import fit_max_spread
from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.inference.calibration.probabilities import (
    Calibration,
    error_rate_by_state,
    fit_conformal,
    fit_reliability,
    fit_scaling,
)
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.conclude import conclude
from jomed_app.inference.conclusion.evidence import Evidence, stack

WEIGHT_TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0)
TEXT_OFFSETS = (0.0, -1.0, -2.0, -4.0)
NEIGHBORS = (16, 32, 64)
VOTE_TEMPERATURES = (0.05, 0.1, 0.2)
SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8)  # of the vote, and of the image alone
MAX_SHARE = 0.8  # ours: the candidates that were read keep a fifth, or they would decide nothing
GUIDANCE = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
CONFORMAL_ALPHA = 0.1  # at 0.05 one real case in nine got no answer


@dataclass(frozen=True, slots=True)
class Fitted:
    """A profile, and how it was chosen.

    Attributes:
        profile: settings and calibration.
        vote_alone: voters and temperature under which the vote alone is likeliest, for `knn`.
        trials: per choice of settings the negative log-likelihood after scaling, nats per case.
    """

    profile: Profile
    vote_alone: Settings
    trials: list[dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a file: the profile as a manifest holds it, and what is beside it."""
        alone = self.vote_alone.model_dump(include={"num_neighbors", "vote_temperature"})
        return self.profile.to_dict() | {"knn": alone, "trials": self.trials}


def fit_settings(cases: Sequence[HeldOutCase], labels: NDArray[np.intp]) -> Fitted:
    """Choose by likelihood how candidates are weighed, then the shares, then calibrate.

    The states' `max_spread` is chosen last, since it changes no probability.

    A report of the very cases that were fitted on would be optimistic; `folds` fits for each fold
    on the other ones.

    Args:
        cases: N held-out cases, of the same voices.
        labels: (N,) true label indexes.
    """
    trials: list[dict[str, float]] = []
    evidence = stack([case.evidence for case in cases])
    readings = (
        Settings(weight_temperature=temperature, text_offset=offset, guidance=guidance)
        for temperature, offset, guidance in product(WEIGHT_TEMPERATURES, TEXT_OFFSETS, GUIDANCE)
    )
    profile = _likeliest(evidence, labels, readings, trials)
    shares = (
        profile.settings.model_copy(
            update={
                "num_neighbors": count,
                "vote_temperature": temperature,
                "vote_share": share,
                "image_share": image_share,
            }
        )
        for count, temperature, share, image_share in product(
            NEIGHBORS, VOTE_TEMPERATURES, SHARES, SHARES
        )
        if share + image_share <= MAX_SHARE
    )
    profile = _likeliest(evidence, labels, shares, trials)
    profile = profile.with_settings(max_spread=_fit_spread(evidence, labels, profile))
    return Fitted(_calibrate(evidence, labels, profile), _vote_alone(evidence, labels), trials)


def _likeliest(
    evidence: Evidence,
    labels: NDArray[np.intp],
    choices: Iterable[Settings],
    trials: list[dict[str, float]],
) -> Profile:
    """Return the settings under which the scaled answers are likeliest; every trial is kept."""
    rows = np.arange(len(labels))
    best: tuple[float, Profile] | None = None
    for settings in choices:
        log_prob = conclude(evidence, Profile(settings=settings)).log_prob
        scaling = fit_scaling(log_prob, labels)
        loss = float(-scaling.apply(log_prob)[rows, labels].mean())
        tried = settings.model_dump(
            exclude={"max_spread", "box_threshold", "k_per_head", "domain_probability"}
        )
        trials.append({name: float(value) for name, value in tried.items()} | {"nll": loss})
        if best is None or loss < best[0]:
            calibration = Calibration(scaling=scaling)
            best = loss, Profile(settings=settings, calibration=calibration)
    assert best is not None, "one choice at least is tried"
    return best[1]


def _fit_spread(evidence: Evidence, labels: NDArray[np.intp], profile: Profile) -> float:
    """The spread from which on agreeing candidates count as mixed."""
    concluded = conclude(evidence, profile)
    wrong = concluded.log_prob.argmax(axis=-1) != labels
    return fit_max_spread(
        lambda spread: conclude(evidence, profile.with_settings(max_spread=spread)).states, wrong
    )


def _calibrate(evidence: Evidence, labels: NDArray[np.intp], profile: Profile) -> Profile:
    concluded = conclude(evidence, profile)
    probabilities = concluded.probabilities
    correct = probabilities.argmax(axis=-1) == labels
    calibration = Calibration(
        scaling=profile.calibration.scaling,
        reliability=fit_reliability(probabilities, labels),
        conformal=fit_conformal(probabilities, labels, CONFORMAL_ALPHA),
        error_rates=error_rate_by_state([str(state) for state in concluded.states], correct),
        standing_errors=error_rate_by_state([str(each) for each in concluded.standings], correct),
    )
    return profile.model_copy(update={"calibration": calibration})


def _vote_alone(evidence: Evidence, labels: NDArray[np.intp]) -> Settings:
    """Voters and temperature under which the vote alone is likeliest; the baseline's due."""
    vote, rows = evidence.only("vote"), np.arange(len(labels))
    choices = [
        Settings(num_neighbors=count, vote_temperature=temperature)
        for count, temperature in product(NEIGHBORS, VOTE_TEMPERATURES)
    ]
    if vote.neighbor_scores is None:
        return Settings()

    def loss(settings: Settings) -> float:
        said = conclude(vote, Profile(settings=settings)).log_prob
        return float(-said[rows, labels].mean())

    return min(choices, key=loss)


def labels_of(cases: Mapping[int, HeldOutCase], labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """True labels of the cases in row order."""
    return labels[sorted(cases)]
