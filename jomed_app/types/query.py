"""What is known of the file that is asked about: the region read and the checks it passed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from jomed_app.types.schema import Frozen

RegionSource = Literal["tag", "detected", "whole", "user"]
"""Who says which part of a picture is read: the file, the app, nobody, or a person."""
RegionWish = Literal["found", "whole"] | tuple[int, int, int, int]
"""What to read of a picture: the region that is found, all of it, or (x0, y0, x1, y1) of its px."""


class Check(Frozen):
    """One input check: what was looked at, whether it passed and the figure behind it."""

    name: str
    passed: bool
    value: float | str | None = None
    message: str


class Region(Frozen):
    """The part of the file's picture that is read, in px of the file, half-open: x0 <= x < x1."""

    x0: int = Field(ge=0)
    y0: int = Field(ge=0)
    x1: int = Field(gt=0)
    y1: int = Field(gt=0)
    source: RegionSource = Field(
        description="tag: Sequence of Ultrasound Regions (0018,6011); detected: on a machine's "
        "screen; whole: the picture is the region; user: set by hand"
    )
    spacing_mm: tuple[float, float] | None = Field(
        default=None, description="(row, column) mm a pixel, as the file says"
    )

    @model_validator(mode="after")
    def _is_not_empty(self) -> Region:
        if self.x0 >= self.x1 or self.y0 >= self.y1:
            raise ValueError("a region must have x0 < x1 and y0 < y1, found none such; order XYXY")
        return self

    @classmethod
    def of_whole(
        cls, rows: int, columns: int, spacing_mm: tuple[float, float] | None = None
    ) -> Region:
        """Return the region that is the picture of rows x columns px itself."""
        return cls(x0=0, y0=0, x1=columns, y1=rows, source="whole", spacing_mm=spacing_mm)

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1), px of the file."""
        return self.x0, self.y0, self.x1, self.y1

    def holds(self, other: Region) -> bool:
        """Whether another region lies inside this one."""
        return (
            self.x0 <= other.x0
            and self.y0 <= other.y0
            and other.x1 <= self.x1
            and other.y1 <= self.y1
        )


class InputInfo(Frozen):
    """What is known of the query file, by allow-list; never a patient attribute.

    Nor the file's hash: whoever holds the file could find its patient's result by it.
    """

    format: str = Field(description="dicom, png, jpeg or tiff")
    modality: str | None = Field(default=None, description="DICOM (0008,0060), else None")
    rows: int = Field(description="of the file's picture; what of it was read: region")
    columns: int
    region: Region | None = Field(
        default=None, description="what of the picture was read; None in results before /3"
    )
    region_as_asked: bool = Field(
        default=False, description="another part than the one found was read by the reader's wish"
    )
    photometric: str = Field(description="DICOM (0028,0004), or the raster mode (L, RGB, I;16)")
    checks: tuple[Check, ...] = ()
    inverted_as_asked: bool = Field(
        default=False, description="black and white were exchanged by the reader's wish"
    )
    overruled: tuple[str, ...] = Field(
        default=(), description="failed checks that the reader went past, for research"
    )

    @property
    def overruled_messages(self) -> tuple[str, ...]:
        """What the checks said that the reader went past."""
        said = {check.name: check.message for check in self.checks}
        return tuple(said[name] for name in self.overruled if name in said)

    @model_validator(mode="before")
    @classmethod
    def _without_hash(cls, values: Any) -> Any:
        """Drop the hash that results up to schema `jomed.result/2` hold."""
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if name != "sha256"}
        return values
