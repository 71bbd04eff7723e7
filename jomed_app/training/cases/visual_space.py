"""The image head's search space: leading directions of the tower's features, without labels."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from jomed_app.models.retriever.embedded import RetrieverProjections

VISUAL_COMPONENTS = 128
VISUAL_SHRINKAGE = 3.0  # ours: whitening held back, so that small directions stay small


@torch.no_grad()
def fit_visual(projections: RetrieverProjections, features: Tensor) -> RetrieverProjections:
    """Fit the image head's space on pooled features, without labels; return a copy.

    Standardize, keep the leading principal components, whiten them in part.

    Args:
        projections: left as they are.
        features: (N, feature_size) of images like those that will be searched.
    """
    from sklearn.decomposition import PCA

    fitted = copy.deepcopy(projections)
    mean, scale = features.mean(0), features.std(0) + 1e-6
    count = min(VISUAL_COMPONENTS, len(features) - 1, fitted.config.dim)
    analysis = PCA(count, svd_solver="full").fit(((features - mean) / scale).numpy())
    variance = analysis.explained_variance_
    gain = 1 / np.sqrt(variance + VISUAL_SHRINKAGE * variance.mean())
    rows = torch.from_numpy(analysis.components_ * gain[:, None]).float() / scale
    fitted.visual.weight.zero_()
    fitted.visual.weight[:count] = rows
    fitted.visual_mean.copy_(mean)
    return fitted
