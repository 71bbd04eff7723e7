"""What the image alone says: the localizer's class query, else the linear head on the tower."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.data.tasks import Task
from jomed_app.models.heads import LinearHead
from jomed_app.models.localizer.detection import Detection


def image_probability(
    task: Task, found: Detection | None, backbone: LinearHead | None, features: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """Return (C,) probabilities; 0 for labels of the index alone, of which nothing is said.

    None where neither can say anything.

    Args:
        task: names the labels, those of the index alone last; where it has no boxes the localizer
            is not asked.
        found: by the localizer; None where it was not asked.
        backbone: linear head on the features; None where there is none.
        features: (F,) pooled tower features of the query.
    """
    if task.has_boxes and found is not None:
        said = np.asarray(found.class_prob.tolist(), dtype=np.float64)
    elif backbone is None:
        return None
    else:
        said = np.exp(backbone.log_prob(features[None])[0])
    return np.pad(said, (0, len(task.labels) - len(said)))
