"""Where in its cell the significant bits of a stored sample lie.

Source: DICOM PS3.5 8.1.1 (a sample's Bits Stored bits end at High Bit, and what lies around them
is no part of it); PS3.3 C.7.6.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import FileDataset

from jomed_app.errors import DicomError
from jomed_app.imaging.dicom.deidentify import read_numbers

_REQUIRED = {
    "SamplesPerPixel": "(0028,0002) Samples per Pixel",
    "PixelRepresentation": "(0028,0103) Pixel Representation",
}


@dataclass(frozen=True, slots=True)
class PixelCell:
    """The layout of one stored sample.

    Attributes:
        allocated: bits of the cell, (0028,0100).
        stored: bits of the sample, (0028,0101), 1 to `allocated`.
        high: its highest bit, (0028,0102), `stored` - 1 to `allocated` - 1.
    """

    allocated: int
    stored: int
    high: int

    @property
    def unused_below(self) -> int:
        """Bits under the sample's lowest one; a value is that many places too high."""
        return self.high + 1 - self.stored


def read_cell(dataset: FileDataset) -> PixelCell | None:
    """Return where a sample's bits lie; None for float pixels, whose bits have no such layout.

    Ours: a High Bit that is missing or 0 is taken as Bits Stored - 1, as DCMTK does.

    Raises:
        DicomError: if the three numbers contradict each other, or an attribute without which a
            sample cannot be read is missing.
    """
    if "PixelData" not in dataset:
        return None
    for keyword, name in _REQUIRED.items():
        if not read_numbers(dataset, keyword):
            raise DicomError(f"{name} is required, found none; export the file again")
    allocated, stored, high = (
        int(numbers[0]) if (numbers := read_numbers(dataset, keyword)) else 0
        for keyword in ("BitsAllocated", "BitsStored", "HighBit")
    )
    if high <= 0:
        high = stored - 1
    if not 1 <= stored <= high + 1 <= allocated:
        raise DicomError(
            "(0028,0102) High Bit must lie within the cell of (0028,0100) Bits Allocated and leave "
            f"room for (0028,0101) Bits Stored, found {allocated} allocated, {stored} stored, "
            f"high bit {high}; export the file again"
        )
    return PixelCell(allocated, stored, high)
