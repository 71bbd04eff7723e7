"""Small linear heads on the vision tower, kept as safetensors: the backbone baseline, the domain.

They are fitted with scikit-learn and carried as plain matrices, so that a bundle scores a test
split where no training split is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.special import log_softmax

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Standardize, multiply, add: the same tower with a linear classifier.

    Attributes:
        mean, scale: (F,) of the features it was fitted on.
        weight: (C, F); bias: (C,).
    """

    mean: Array
    scale: Array
    weight: Array
    bias: Array

    def log_prob(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, F) pooled tower features -> (N, C) nats, each row normalized."""
        logits = (features - self.mean) / self.scale @ self.weight.T + self.bias
        return np.asarray(log_softmax(logits.astype(np.float64), axis=-1))


@dataclass(frozen=True, slots=True)
class DomainHead:
    """Whether an image is of the kind the bundle knows: two tests, both must pass.

    A linear classifier knows foreign kinds it was shown (other modalities, photographs); the
    Mahalanobis distance in the leading principal components catches those it was not.

    Attributes:
        classifier: class 1 is the domain.
        mean: (F,); components: (P, F); variance: (P,) of the domain's features.
        radius: distance that 99.5 % of held-out domain images stay under.
    """

    classifier: LinearHead
    mean: Array
    components: Array
    variance: Array
    radius: float

    def probability(self, features: NDArray[np.floating]) -> float:
        """(F,) pooled features -> probability in [0, 1] that the image is of the domain."""
        return float(np.exp(self.classifier.log_prob(features[None])[0, 1]))

    def distance(self, features: NDArray[np.floating]) -> float:
        """(F,) pooled features -> Mahalanobis distance over `radius`; above 1 is far."""
        shares = (features - self.mean) @ self.components.T
        return float(np.sqrt((shares**2 / self.variance).sum()) / self.radius)


HEADS_FILE = "heads.safetensors"


def save_heads(folder: Path, backbone: LinearHead, domain: DomainHead) -> Path:
    """Write both heads into one file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"backbone.{name}": getattr(backbone, name) for name in LinearHead.__slots__}
    arrays |= {f"classifier.{n}": getattr(domain.classifier, n) for n in LinearHead.__slots__}
    arrays |= {
        f"domain.{name}": getattr(domain, name) for name in ("mean", "components", "variance")
    }
    arrays["domain.radius"] = np.array([domain.radius])
    plain = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in arrays.items()}
    save_file(plain, folder / HEADS_FILE)
    return folder / HEADS_FILE


def load_heads(folder: Path) -> tuple[LinearHead, DomainHead]:
    """Read what `save_heads` wrote."""
    arrays = load_file(folder / HEADS_FILE)

    def linear(prefix: str) -> LinearHead:
        return LinearHead(*(arrays[f"{prefix}.{name}"] for name in LinearHead.__slots__))

    domain = DomainHead(
        linear("classifier"),
        arrays["domain.mean"],
        arrays["domain.components"],
        arrays["domain.variance"],
        float(arrays["domain.radius"][0]),
    )
    return linear("backbone"), domain
