"""What if: an answer concluded again from what was read, with weights that a reader moved.

The arithmetic is that of every answer (`conclusion.conclude`); no model runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jomed_app.data.tasks import Task
from jomed_app.inference.calibration.profile import Profile
from jomed_app.inference.conclusion.conclude import combine
from jomed_app.inference.result import refused, weighed_again, with_conclusion, word_conclusion
from jomed_app.types import CandidateResult, Moved, Result

ALL_REMOVED = "every candidate was removed; restore one of them"


def moved_result(
    result: Result, moved: Moved, task: Task, profile: Profile, label_of: Callable[[str], str]
) -> Result:
    """Return a result as it would be with other weights, and what was moved in it.

    Args:
        result: of a run, nothing moved in it.
        moved: names candidates of the result alone.
        task: names the labels.
        profile: of the search that found the candidates.
        label_of: candidate id -> its known label.

    Returns:
        The result with boxes and findings as they were and no interval, since none was measured
        of a moved answer. It abstains where no candidate is left.
    """
    mark: dict[str, Any] = {"moved": moved}
    kept = moved_candidates(result, moved)
    if not kept:
        return with_conclusion(result, (), *refused(ALL_REMOVED)).model_copy(update=mark)
    if moved.image_share is not None and result.final.image_head:
        profile = with_image_share(profile, moved.image_share)
    labels = task.labels
    conclusion = combine(weighed_again(kept, result.final, labels), profile)
    answer = labels[int(conclusion.log_prob.argmax())]
    counter = result.consistency.counter_candidate
    if counter is not None and label_of(counter) == answer:
        others = [each for each in kept if each.label != answer]
        counter = others[0].candidate_id if others else None
    final, consistency = word_conclusion(
        conclusion, labels, [each.candidate_id for each in kept], counter=counter
    )
    final = final.model_copy(update={"interval": None})
    return with_conclusion(result, tuple(kept), final, consistency).model_copy(update=mark)


def moved_candidates(result: Result, moved: Moved) -> list[CandidateResult]:
    """Return the candidates that stay, each weight times its factor, summing to 1 again."""
    kept = [each for each in result.candidates if each.candidate_id not in moved.removed]
    weights = [each.weight * moved.factors.get(each.candidate_id, 1.0) for each in kept]
    total = sum(weights)
    return [
        each.model_copy(update={"weight": weight / total})
        for each, weight in zip(kept, weights, strict=True)
    ]


def with_image_share(profile: Profile, share: float) -> Profile:
    """Return a profile in which the image alone has another share of the sum.

    Args:
        profile: as it was fitted.
        share: in [0, 1]; the vote keeps its proportion to the readings.
    """
    settings = profile.settings
    rest = 1.0 - settings.image_share
    vote = settings.vote_share * (1.0 - share) / rest if rest > 0 else 0.0
    return profile.with_settings(image_share=share, vote_share=vote)
