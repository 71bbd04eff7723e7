"""Labels that only the index knows: added by cases, without training.

Ours: retrieval can know a class that no weight has seen. The bundle's task is widened by it, the
vote of the nearest cases speaks for it (`ensemble.leave_new_labels_to_vote`), and what was measured
without it is no longer said.
"""

from __future__ import annotations

from collections.abc import Collection

from jomed_app.data.tasks import Task
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.inference.calibration.profile import Profile


def widen_task(task: Task, labels: Collection[str]) -> Task:
    """Add the index's labels that the task does not have, in alphabetical order, at the end.

    Args:
        task: of the bundle.
        labels: that occur in the index.

    Returns:
        The same task where there is nothing to add, or where no label is shared: such an index
        belongs to another task, and its labels answer another question.
    """
    new = tuple(sorted(set(labels) - {*task.labels, ""}))
    if task.is_open or not new or not set(labels) & set(task.labels):
        return task
    return task.model_copy(update={"labels": (*task.labels, *new), "index_only": new})


def without_figures(profile: Profile, num_new: int) -> Profile:
    """The same settings and temperature, without what was measured on other labels.

    Args:
        profile: of the bundle.
        num_new: labels that were added at the end; they get no class bias. With none, all stays.
    """
    if not num_new:
        return profile
    known = profile.calibration
    bias = (*known.scaling.bias, *([0.0] * num_new)) if known.scaling.bias else ()
    scaling = known.scaling.model_copy(update={"bias": bias})
    return Profile(
        settings=profile.settings, calibration=Calibration(scaling=scaling, boxes=known.boxes)
    )
