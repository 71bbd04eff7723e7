"""How much the vote of known answers counts, fitted for each part of the images on the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from jomed_app.evaluation.metrics.free_answers import AnsweredQuestion, VqaScores
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.questions.free_answers import conclude_reading

NUM_PARTS = 5
SHARES = tuple(step / 10 for step in range(11))
TEMPERATURES = (0.02, 0.05, 0.1, 0.2)


def settle_votes(
    asked: Sequence[AnsweredQuestion],
    profile: Profile,
    *,
    num_parts: int = NUM_PARTS,
    seed: int = 0,
) -> list[AnsweredQuestion]:
    """Answer anew, each part of the images with what fits the other parts best.

    Ours: an image's questions stay together, so no setting has seen any of them.

    Args:
        asked: questions; those without readings stay as they are.
        profile: by which they are concluded; its vote is fitted.
        num_parts: at most one per image; with a single image nothing is fitted.
        seed: of the assignment of images to parts.

    Returns:
        The same questions in the same order.
    """
    part_of = _parts(asked, num_parts, seed)
    found = list(asked)
    for part in sorted(set(part_of)):
        own = [place for place, each in enumerate(part_of) if each == part]
        others = [one for one, each in zip(asked, part_of, strict=True) if each != part]
        for system in asked[own[0]].readings:
            fitted = fit_votes(others, system, profile)
            for place in own:
                found[place] = _answered(found[place], system, fitted)
    return found


def fit_votes(asked: Sequence[AnsweredQuestion], system: str, profile: Profile) -> Profile:
    """Return the profile of the best mean of open recall and closed accuracy.

    Of equal ones the smaller share wins: what was read counts where the vote adds nothing. Without
    a question the profile stays as it is.
    """
    if not asked:
        return profile
    scored = [
        (_score(asked, system, each), -each.settings.vote_share, each) for each in _grid(profile)
    ]
    return max(scored, key=lambda one: one[:2])[2]


def _grid(profile: Profile) -> Iterator[Profile]:
    for share in SHARES:
        for temperature in TEMPERATURES if share else TEMPERATURES[:1]:
            yield profile.with_settings(vote_share=share, vote_temperature=temperature)


def _score(asked: Sequence[AnsweredQuestion], system: str, profile: Profile) -> float:
    scores = VqaScores([_answered(one, system, profile) for one in asked], system)
    known = [each for each in (scores.open_recall(), scores.closed_accuracy()) if each == each]
    return float(np.mean(known))


def _answered(one: AnsweredQuestion, system: str, profile: Profile) -> AnsweredQuestion:
    if system not in one.readings:
        return one
    said = conclude_reading(one.readings[system], profile)
    return replace(
        one,
        answers={**one.answers, system: said.text},
        probabilities={**one.probabilities, system: said.probabilities},
    )


def _parts(asked: Sequence[AnsweredQuestion], num_parts: int, seed: int) -> list[int]:
    groups = sorted({one.group for one in asked})
    order = np.random.default_rng(seed).permutation(len(groups))
    part_of = {groups[int(place)]: turn % num_parts for turn, place in enumerate(order)}
    return [part_of[one.group] for one in asked]
