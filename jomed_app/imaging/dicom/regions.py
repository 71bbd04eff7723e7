"""The B-mode region that an ultrasound file names: where it lies, and how large a pixel is.

Only geometry is read, and all of it as numbers. Source: DICOM PS3.3 C.8.5.5, US Region Calibration:
Sequence of Ultrasound Regions (0018,6011), Region Spatial Format (0018,6012), Region Data Type
(0018,6014), Region Location (0018,6018) to (0018,601E), Physical Units (0018,6024), (0018,6026)
and Physical Delta (0018,602C), (0018,602E).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from jomed_app.imaging.dicom.deidentify import read_numbers
from jomed_app.imaging.dicom.groups import items
from jomed_app.imaging.limits import MIN_REGION_PX
from jomed_app.types import Check, Region

_2D, _TISSUE, _COLOR_FLOW = 1, 1, 2
_CENTIMETERS = 3
_LOCATION = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1",
             "RegionLocationMaxY1")  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamedRegion:
    """What a file says of its B-mode region.

    Attributes:
        region: to be read; None where the file names none that fits its picture.
        checks: what has to be said of it: several such regions, or none that fits.
    """

    region: Region | None = None
    checks: tuple[Check, ...] = ()


def read_region(dataset: Dataset, rows: int, columns: int) -> NamedRegion:
    """Return the largest two-dimensional tissue region of a file.

    Two-dimensional color flow counts where no tissue region is named: a color box inside the
    B-mode picture never replaces it. Spectra, M-mode, waveforms and graphics are left out.

    Args:
        dataset: the opened data set; it is not kept.
        rows: of the picture.
        columns: of the picture.
    """
    sequence = items(dataset, "SequenceOfUltrasoundRegions")
    flat = [item for item in sequence if _number(item, "RegionSpatialFormat") == _2D]
    tissue = [item for item in flat if _number(item, "RegionDataType") == _TISSUE]
    named = tissue or [item for item in flat if _number(item, "RegionDataType") == _COLOR_FLOW]
    found = [region for item in named if (region := _region(item, rows, columns)) is not None]
    if not found:
        return NamedRegion(checks=(_misfit(),) if named else ())
    # Two of one size, a dual image: the first in reading order.
    best = max(found, key=lambda region: (_area(region), -region.y0, -region.x0))
    checks = (_several(len(found)),) if len(found) > 1 else ()
    return NamedRegion(best, checks)


def _region(item: Dataset, rows: int, columns: int) -> Region | None:
    """Return one region, None when it does not fit the picture; its corners are inclusive."""
    corners = [_number(item, keyword) for keyword in _LOCATION]
    if any(corner is None or corner < 0 for corner in corners):
        return None
    x0, y0, x1, y1 = (int(corner) for corner in corners if corner is not None)
    x1, y1 = x1 + 1, y1 + 1
    # Writers disagree whether the last pixel or the one behind it is meant: one px is forgiven.
    if x1 > columns + 1 or y1 > rows + 1 or min(x1 - x0, y1 - y0) < MIN_REGION_PX:
        return None
    return Region(
        x0=x0, y0=y0, x1=min(x1, columns), y1=min(y1, rows), source="tag", spacing_mm=_spacing(item)
    )


def _spacing(item: Dataset) -> tuple[float, float] | None:
    """Return (row, column) mm a pixel, None unless both directions are given in centimeters."""
    units = (_number(item, "PhysicalUnitsYDirection"), _number(item, "PhysicalUnitsXDirection"))
    delta = (_number(item, "PhysicalDeltaY"), _number(item, "PhysicalDeltaX"))
    if units != (_CENTIMETERS, _CENTIMETERS) or not delta[0] or not delta[1]:
        return None
    return 10 * abs(delta[0]), 10 * abs(delta[1])


def _number(item: Dataset, keyword: str) -> float | None:
    """Return an element's first number, None when it is absent or damaged."""
    numbers = read_numbers(item, keyword)
    return numbers[0] if numbers else None


def _area(region: Region) -> int:
    return (region.x1 - region.x0) * (region.y1 - region.y0)


def _several(count: int) -> Check:
    message = f"The file names {count} B-mode regions; only the largest is read."
    return Check(name="regions", passed=False, value=float(count), message=message)


def _misfit() -> Check:
    message = "The file names a B-mode region that does not fit its picture; it was left out."
    return Check(name="regions", passed=False, value="left out", message=message)
