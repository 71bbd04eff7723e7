"""How a bundle holds a vision tower, and what of it comes back.

Ours: a tower that is stored in 4 bits says something else than the plain one. So alignment writes
the tower as it comes back from storage, and whatever learns behind it, and every index, sees what
is shipped; quantizing it once more at export moves it hardly any further.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from transformers import AutoModel

from jomed_app.models.loading import Precision, quantization_config
from jomed_app.models.towers.families import VisionTower, register_towers


def as_stored(tower: VisionTower, precision: Precision) -> VisionTower:
    """A tower as it comes back from storage; one that is stored in bf16 is left as it is."""
    if precision is Precision.BF16:
        return tower
    with tempfile.TemporaryDirectory() as place:
        plain, held = Path(place) / "plain", Path(place) / "held"
        tower.save_pretrained(plain)
        rounded = round_tower(plain, precision, held)
    rounded.to(memory_format=torch.channels_last)  # type: ignore[call-arg]
    return rounded


def round_tower(folder: Path, precision: Precision, out: Path) -> VisionTower:
    """Write a plain tower as a bundle would hold it, and return what it comes back as, in fp32.

    Args:
        folder: transformers folder with plain weights.
        precision: how linear layers are held; the rest is held in bf16.
        out: folder to write.
    """
    register_towers()
    dtype = torch.float32 if precision is Precision.FP32 else torch.bfloat16
    held = AutoModel.from_pretrained(
        folder, dtype=dtype, quantization_config=quantization_config(precision, ())
    )
    held.save_pretrained(out)
    if precision in (Precision.INT8, Precision.NF4):
        held = held.dequantize(torch.float32)
    tower: VisionTower = held.float().eval()
    return tower
