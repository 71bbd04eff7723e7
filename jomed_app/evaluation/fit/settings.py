"""Fit what a bundle carries on out-of-fold readings: weights, guidance, scaling, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.fit.states import fit_max_spread, states_at
from jomed_app.evaluation.systems import RawCase, ScoringSettings
from jomed_app.inference.aggregate import guided_log_prob, marginalize
from jomed_app.inference.calibration.probabilities import (
    Calibration,
    error_rate_by_state,
    fit_conformal,
    fit_reliability,
    fit_scaling,
)
from jomed_app.inference.ensemble import mix_opinions
from jomed_app.inference.settings import EngineSettings

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
    """Settings chosen, the calibration of the final probability, and how they were chosen.

    Attributes:
        scoring: weights, guidance and scaling.
        calibration: scaling, reliability, conformal sets and error rates.
        trials: per pair of settings the negative log-likelihood after scaling, nats per case.
    """

    scoring: ScoringSettings
    calibration: Calibration
    trials: list[dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a file."""
        known = {each.name for each in fields(EngineSettings)}
        values = asdict(self.scoring)
        return {
            "thresholds": {name: values[name] for name in values if name in known},
            "knn": {name: values[name] for name in ("alone_neighbors", "alone_temperature")},
            "calibration": self.calibration.to_dict(),
            "trials": self.trials,
        }


def fit_settings(raw: Sequence[RawCase], labels: NDArray[np.intp]) -> Fitted:
    """Choose by likelihood how candidates are weighed, then the shares, then calibrate.

    The states' `max_spread` is chosen last, since it changes no probability.

    A report of the very cases that were fitted on would be optimistic; `folds` fits for each fold
    on the other ones.

    Args:
        raw: N out-of-fold cases, all with the same number of candidates.
        labels: (N,) true label indexes.
    """
    trials: list[dict[str, float]] = []
    arrays = _Arrays(raw)
    readings = [
        ScoringSettings(temperature, offset, guidance)
        for temperature, offset, guidance in product(WEIGHT_TEMPERATURES, TEXT_OFFSETS, GUIDANCE)
    ]
    settings = _best(arrays, labels, readings, trials)
    votes = [
        replace(
            settings,
            num_neighbors=count,
            vote_temperature=temperature,
            vote_share=share,
            image_share=image_share,
        )
        for count, temperature, share, image_share in product(
            NEIGHBORS, VOTE_TEMPERATURES, SHARES, SHARES
        )
        if share + image_share <= MAX_SHARE
    ]
    settings = replace(_best(arrays, labels, votes, trials), **_best_vote(arrays, labels))
    probabilities = np.exp(settings.scaling.apply(arrays.log_prob(settings)))
    correct = probabilities.argmax(-1) == labels
    guided, plain = arrays.guided(settings), arrays.plain.argmax(-1)
    settings = replace(settings, max_spread=fit_max_spread(guided, plain, ~correct))
    states = [str(state) for state in states_at(guided, plain, settings.max_spread)]
    calibration = Calibration(
        scaling=settings.scaling,
        reliability=fit_reliability(probabilities, labels),
        conformal=fit_conformal(probabilities, labels, CONFORMAL_ALPHA),
        error_rates=error_rate_by_state(states, correct),
    )
    return Fitted(settings, calibration, trials)


class _Arrays:
    """All cases as arrays, so that hundreds of settings are tried in seconds."""

    def __init__(self, raw: Sequence[RawCase]) -> None:
        self.raw = raw
        self.retrieved = np.stack([case.retrieved for case in raw])
        self.plain = np.stack([case.plain for case in raw])
        self.scores = np.stack([case.scores for case in raw])
        self.is_text = np.stack([case.is_text for case in raw])
        self.image_head = np.stack([case.image_opinion for case in raw])
        self._votes: dict[tuple[int, float], NDArray[np.float64]] = {}

    def log_prob(self, settings: ScoringSettings) -> NDArray[np.float64]:
        """(N, C) of `rag` before scaling, nats."""
        weights = settings.log_weights(self.scores, self.is_text)
        marginal = marginalize(weights, self.guided(settings))
        return mix_opinions(
            marginal,
            [(self.votes(settings), settings.vote_share), (self.image_head, settings.image_share)],
        )

    def guided(self, settings: ScoringSettings) -> NDArray[np.float64]:
        """(N, K, C) what the candidates lead to, nats."""
        return guided_log_prob(self.retrieved, self.plain, settings.guidance)

    def votes(self, settings: ScoringSettings) -> NDArray[np.float64]:
        """(N, C) votes of the nearest cases."""
        key = settings.num_neighbors, settings.vote_temperature
        if key not in self._votes:
            width = self.plain.shape[-1]
            self._votes[key] = np.stack([settings.vote(case, width) for case in self.raw])
        return self._votes[key]


def _best(
    arrays: _Arrays,
    labels: NDArray[np.intp],
    choices: Sequence[ScoringSettings],
    trials: list[dict[str, float]],
) -> ScoringSettings:
    """Return the settings under which the scaled answers are likeliest; every trial is kept."""
    found: list[tuple[float, int]] = []
    scaled = []
    for place, settings in enumerate(choices):
        log_prob = arrays.log_prob(settings)
        scaling = fit_scaling(log_prob, labels)
        loss = -scaling.apply(log_prob)[np.arange(len(labels)), labels].mean()
        found.append((float(loss), place))
        scaled.append(replace(settings, scaling=scaling))
        trials.append(
            {
                "weight_temperature": settings.weight_temperature,
                "text_offset": settings.text_offset,
                "guidance": settings.guidance,
                "num_neighbors": float(settings.num_neighbors),
                "vote_temperature": settings.vote_temperature,
                "vote_share": settings.vote_share,
                "image_share": settings.image_share,
                "nll": float(loss),
            }
        )
    return scaled[min(found)[1]]


def _best_vote(arrays: _Arrays, labels: NDArray[np.intp]) -> dict[str, Any]:
    """Voters and temperature under which the vote alone is likeliest; the baseline's due."""
    rows = np.arange(len(labels))
    losses = {
        (count, temperature): -np.log(
            arrays.votes(ScoringSettings(num_neighbors=count, vote_temperature=temperature))[
                rows, labels
            ]
        ).mean()
        for count, temperature in product(NEIGHBORS, VOTE_TEMPERATURES)
    }
    count, temperature = min(losses, key=lambda pair: losses[pair])
    return {"alone_neighbors": count, "alone_temperature": temperature}


def labels_of(raw: Mapping[int, RawCase], labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """True labels of the cases in row order."""
    return labels[sorted(raw)]
