"""Image processors of transformers: what all of them are told."""

from __future__ import annotations

from typing import Any


def resized_not_cropped(processor: Any) -> Any:
    """The processor, in place: a crop of the middle becomes a resize of the whole.

    Ours: CLIP's processors cut the longer side off, and a finding may lie at the border.
    """
    if getattr(processor, "do_center_crop", False):
        processor.do_center_crop, processor.size = False, processor.crop_size
    return processor
