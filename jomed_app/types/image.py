"""A decoded picture in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jomed_app.types.query import InputInfo, Region

GrayValues = NDArray[np.float32 | np.uint8 | np.uint16 | np.int16]
"""Modality values of a gray picture, finite: samples of 16 bits and 8-bit display values as they
are stored, all others as float32."""


@dataclass(frozen=True, slots=True)
class Window:
    """A display window in modality values: DICOM (0028,1050) center, (0028,1051) width > 0."""

    center: float
    width: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """All of a frame, from which any region can be cut again; see `imaging.content.region`.

    Attributes:
        rendering: (rows, columns, 3) uint8 RGB of the file's size, divided by `step`, rounded up.
        values: (rows, columns) after the modality LUT, as `ImageRecord.modality_values`.
        found: the region that the file names, else the one that was detected, else the whole.
        text: (x0, y0, x1, y1) of the lines of text burned into it, px; never what they say.
        spacing_mm: (row, column) spacing that the file gives for the whole picture, or None.
        step: px of the file along a side of a px here; above 1 where the file's picture is larger
            than what is held, see `imaging.content.held`. Regions and text stay in px of the file.
    """

    rendering: NDArray[np.uint8]
    values: GrayValues | None
    found: Region
    text: tuple[tuple[int, int, int, int], ...] = ()
    spacing_mm: tuple[float, float] | None = None
    step: int = 1


@dataclass(frozen=True, slots=True)
class Content:
    """What a picture shows, measured from its pixels alone; see `imaging.content`.

    Attributes:
        colored_share: of the pixels above black, in [0, 1].
        smooth_share: of the pixels between black and white, without grain, in [0, 1].
        num_levels: gray levels that make up nine tenths of the pixels above black.
        uprightness: below 0 where an ultrasound picture looks inverted; None where it is too small.
    """

    colored_share: float = 0.0
    smooth_share: float = 0.0
    num_levels: int = 256
    uprightness: float | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One decoded frame in memory; the file itself is never kept.

    Attributes:
        model_input: (rows, columns, 3) uint8 RGB, the fixed rendering that the model sees, of the
            region that is read; read-only, and the channels of a gray image share their memory. Of
            a picture held reduced it has fewer px than the region, see `size_px`.
        modality_values: (rows, columns) of the same region after the modality LUT, or None for
            colour; of the types of `GrayValues`.
        inverted: whether higher modality values are darker (MONOCHROME1 or INVERSE, once).
        windows: display windows the file offers, first is the default; never empty for grey images.
        sha256: hash of the file's bytes, hex; in memory only, to leave the case itself out of its
            own similar cases.
        info: format, size and checks.
        metadata: allow-listed, printable facts only.
        num_frames: frames in the file (>= 1); frame: the one decoded, from 0.
        pixel_spacing_mm: (row, column) spacing or None.
        decode_ms: wall-clock of decoding.
        picture: the whole picture; None for a case of a corpus, which is read as it lies there.
        content: what the picture shows, to be compared with what a task reads.
    """

    model_input: NDArray[np.uint8]
    modality_values: GrayValues | None
    inverted: bool
    windows: tuple[Window, ...]
    sha256: str
    info: InputInfo
    metadata: dict[str, str] = field(default_factory=dict)
    num_frames: int = 1
    frame: int = 0
    pixel_spacing_mm: tuple[float, float] | None = None
    decode_ms: float = 0.0
    picture: Picture | None = None
    content: Content = Content()

    @property
    def size_px(self) -> tuple[int, int]:
        """(rows, columns) of what is read, px of the file; `model_input` may be smaller."""
        region = self.info.region
        if region is None:
            rows, columns = self.model_input.shape[:2]
            return rows, columns
        return region.y1 - region.y0, region.x1 - region.x0
