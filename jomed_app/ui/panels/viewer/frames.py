"""Frames of the query's file to look at, decoded when they are asked for and kept nowhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jomed_app.errors import JomedError
from jomed_app.imaging.content.text import lines_in
from jomed_app.imaging.decoder import decoder_pool
from jomed_app.imaging.decoder.frames import FRAMES_AT_ONCE, FrameView
from jomed_app.types import ImageRecord
from jomed_app.ui.images import MAX_DISPLAY_PX, jpeg_data_url, png_data_url
from jomed_app.ui.panels.viewer.region import shown_region
from jomed_app.ui.session import Case

MOVING_PX = 512  # ours: longer side of a frame that plays; one that stands still has 1024


def frame_view(image: ImageRecord, side_px: int) -> FrameView:
    """Return what of each frame is shown: the part that is read of the one at hand."""
    corners = shown_region(image).corners
    text = () if image.picture is None else image.picture.text
    return FrameView(corners, lines_in(text, corners), side_px)


def frames_server(find: Callable[[str], Case | None]) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that the page calls to get frames of the query's file.

    Args:
        find: token -> case, or None.
    """

    def frames_query(request: Mapping[str, Any]) -> list[str] | None:
        """Return data URLs of frames: one lossless, or several as JPEG; None if there are none."""
        try:
            case = find(str(request["case"]))
            frames = [int(each) for each in request["frames"]]
        except (KeyError, TypeError, ValueError):
            return None
        data = None if case is None else case.file_bytes
        if case is None or data is None or not 0 < len(frames) <= FRAMES_AT_ONCE:
            return None
        if not all(0 <= each < case.image.num_frames for each in frames):
            return None
        is_exact = len(frames) == 1
        view = frame_view(case.image, MAX_DISPLAY_PX if is_exact else MOVING_PX)
        try:
            pictures = decoder_pool().view_frames(data, frames, view, sender=case.sender)
        except JomedError:
            return None
        if case.image.info.inverted_as_asked:
            pictures = [255 - each for each in pictures]
        return [png_data_url(each) if is_exact else jpeg_data_url(each) for each in pictures]

    return frames_query
