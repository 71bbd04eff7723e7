"""The value that every reader hands to `read`: one decoded frame before it becomes a record."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jomed_app.imaging.grayscale import Lut, VoiFunction
from jomed_app.types import Check, GrayValues, Region, Window


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame, decoded and free of its file.

    Attributes:
        format: dicom, png, jpeg or tiff.
        photometric: DICOM (0028,0004) or the raster mode.
        modality_values: (rows, columns), finite; uint8 where `display_ready`, see `GrayValues`;
            None for color.
        rgb: (rows, columns, 3) uint8 for color; None for gray.
        inverted: whether higher modality values are darker.
        keep_mask: (rows, columns), True where a pixel counts for statistics; None when all do.
        bits_stored: significant bits of a stored sample.
        display_ready: gray samples are 8-bit display values already (no window needed).
        windows: windows that the file offers, first is the default.
        voi_function: how a window is applied.
        voi_lut: VOI LUT of the file, used when it offers no window.
        modality: DICOM (0008,0060) when it is a known term.
        metadata: allow-listed facts.
        num_frames: frames in the file.
        pixel_spacing_mm: (row, column) spacing.
        region: of B-mode, as the file names it.
        checks: what the reader noticed.
    """

    format: str
    photometric: str
    modality_values: GrayValues | None = None
    rgb: NDArray[np.uint8] | None = None
    inverted: bool = False
    keep_mask: NDArray[np.bool_] | None = None
    bits_stored: int = 8
    display_ready: bool = False
    windows: tuple[Window, ...] = ()
    voi_function: VoiFunction = VoiFunction.LINEAR_EXACT
    voi_lut: Lut | None = None
    modality: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    num_frames: int = 1
    pixel_spacing_mm: tuple[float, float] | None = None
    region: Region | None = None
    checks: tuple[Check, ...] = ()
