"""The systems that are compared: each is a choice of evidence, concluded as the app concludes.

`backbone`: the vision tower with a linear head. `image_alone`: the localizer's class query, from
later tower stages of its own (the linear head again where a task has no boxes). `knn`: the share of
each label among the nearest corpus images. `no_retrieval`: the reader without a candidate.
`random_candidates`: the reader beside candidates drawn at random. `adversarial_candidates`: beside
the nearest cases of another class than the query's true one; the truth chooses them, so this is a
measure of how far misleading candidates lead, for evaluation only. `reader`: the reader beside the
frozen retriever's candidates, with the boxes it says itself. `rag`: all evidence together, with the
localizer's boxes; what the app shows. `joint_reader`, `joint`: the same two beside the candidates
of trained query heads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.evaluation.held_out import HeldOutCase
from jomed_app.evaluation.report.scores import SystemScores
from jomed_app.inference.calibration.profile import Profile, Settings
from jomed_app.inference.conclusion.conclude import Conclusion, conclude
from jomed_app.inference.conclusion.evidence import Evidence
from jomed_app.types import ConsistencyState

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
JOINT_NAMES = {"reader": "joint_reader", "rag": "joint"}
JOINT_SYSTEMS = tuple(JOINT_NAMES.values())
VOTE_ALONE = Settings()
"""Voters and temperature of the baseline `knn` where none were fitted for the vote alone."""


@dataclass(frozen=True, slots=True)
class System:
    """A choice of evidence, and the profile that it is concluded with.

    Attributes:
        evidence: what speaks.
        profile: settings and calibration; a baseline says what it says, uncalibrated.
        labels: (K,) label indexes of its candidates; None without retrieval.
    """

    evidence: Evidence
    profile: Profile
    labels: NDArray[np.intp] | None = None


def choose_evidence(
    case: HeldOutCase, profile: Profile, vote_alone: Settings = VOTE_ALONE
) -> dict[str, System]:
    """Every system of a case; one whose evidence was not gathered is left out.

    Args:
        case: all that was gathered.
        profile: settings and calibration of the app.
        vote_alone: voters and temperature fitted for the vote alone; the baseline's due.
    """
    evidence, plain = case.evidence, Profile()
    image = evidence.image if evidence.image is not None else np.exp(case.backbone)
    systems = {
        "backbone": System(Evidence(image=np.exp(case.backbone)), plain),
        "image_alone": System(Evidence(image=image), plain),
        "no_retrieval": System(evidence.only("alone"), profile),
        "reader": System(evidence.only("candidates"), profile, case.labels),
        "rag": System(evidence, profile, case.labels),
    }
    if evidence.neighbor_scores is not None:
        systems["knn"] = System(evidence.only("vote"), Profile(settings=vote_alone))
    if case.drawn is not None:
        systems["random_candidates"] = System(case.drawn, profile, case.drawn_labels)
    if case.adversarial is not None:
        systems[ADVERSARIAL] = System(case.adversarial, profile, case.adversarial_labels)
    return {name: systems[name] for name in SYSTEMS if name in systems}


def conclude_systems(
    case: HeldOutCase,
    profile: Profile,
    systems: Collection[str] = SYSTEMS,
    *,
    vote_alone: Settings = VOTE_ALONE,
) -> Mapping[str, SystemScores]:
    """What each system says of a case, in the order of `SYSTEMS`.

    Args:
        case: all that was gathered; its box is scored (`HeldOutCase.with_box_score`).
        profile: settings and calibration of the app.
        systems: names; those that were not read are left out.
        vote_alone: see `choose_evidence`.
    """
    chosen = choose_evidence(case, profile, vote_alone)
    return {name: _score(name, case, chosen[name]) for name in chosen if name in systems}


def _score(name: str, case: HeldOutCase, system: System) -> SystemScores:
    concluded = conclude(system.evidence, system.profile)
    weighed = concluded.weighed
    scores = SystemScores(probabilities=concluded.probabilities)
    if weighed.candidates is not None and weighed.log_weights is not None:
        scores = SystemScores(
            probabilities=concluded.probabilities,
            candidate_probabilities=np.exp(weighed.candidates),
            weights=np.exp(weighed.log_weights),
            candidate_labels=system.labels,
            state=_state(concluded),
            boxes=case.boxes if name == "reader" else None,
        )
    return scores.with_located(case.located, case.seconds) if name == "rag" else scores


def _state(concluded: Conclusion) -> ConsistencyState:
    """The state that the screen shows."""
    if concluded.abstains.item():
        return ConsistencyState.ABSTAIN
    state: ConsistencyState = concluded.states.item()
    return state
