"""Several frames of one file, small, to be looked at one after another; no model reads these.

Each is rendered as `read.read_image` would render it, and cut and painted over where the frame
that is read was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.errors import ImageError
from jomed_app.imaging.content.text import paint_over
from jomed_app.types import ImageRecord

FRAMES_AT_ONCE = 8  # ours: of a usual cine loop, well within the time of one decode
Corners = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FrameView:
    """What of each frame is shown.

    Attributes:
        corners: (x0, y0, x1, y1) of the part, px of the file.
        lines: the same of burned-in lines of text found in the frame that is read, px of the part.
        side_px: the longer side has at most so many px.
    """

    corners: Corners
    lines: tuple[Corners, ...] = ()
    side_px: int = 512


def view_frames(
    read: Callable[..., ImageRecord], data: bytes, frames: Sequence[int], view: FrameView
) -> list[NDArray[np.uint8]]:
    """Return frames as pictures, (rows, columns) for gray and (rows, columns, 3) for color.

    Args:
        read: an `ImageReader`.
        data: the file.
        frames: at most `FRAMES_AT_ONCE`, from 0.
        view: the part that is shown.

    Raises:
        ImageError: if more frames are asked for, or a frame lacks the part.
        ImageError, DicomError: as `read.read_image`.
    """
    if len(frames) > FRAMES_AT_ONCE:
        raise ImageError(
            f"at most {FRAMES_AT_ONCE} frames are shown at once, found {len(frames)}; ask for fewer"
        )
    return [_seen(read(data, frame=frame, region=None).model_input, view) for frame in frames]


def _seen(rendering: NDArray[np.uint8], view: FrameView) -> NDArray[np.uint8]:
    """Cut, paint over, reduce."""
    x0, y0, x1, y1 = view.corners
    rows, columns = rendering.shape[:2]
    if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= rows):
        raise ImageError(
            f"frames must all hold the part that is read, found one of {columns} x {rows} px; "
            "read the whole image"
        )
    is_gray = rendering.strides[2] == 0
    part = paint_over(rendering[y0:y1, x0:x1], view.lines)
    seen = Image.fromarray(np.ascontiguousarray(part[..., 0] if is_gray else part))
    seen.thumbnail((view.side_px, view.side_px), Image.Resampling.BILINEAR)
    return np.asarray(seen)
