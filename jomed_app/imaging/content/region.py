"""Which part of a picture is read: the region that is found, all of it, or one set by hand.

A region is cut from the rendering of the whole picture: it changes what is read, never a gray
level. Boxes of a result stay in px of the file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from jomed_app.errors import ImageError
from jomed_app.imaging.content.held import held_picture, on_grid, reduced_corners
from jomed_app.imaging.content.look import look
from jomed_app.imaging.content.screen import find_screen_region
from jomed_app.imaging.content.text import find_text, lines_in, paint_over, text_check
from jomed_app.imaging.limits import MIN_REGION_PX
from jomed_app.imaging.quality import PICTURE_CHECKS, assess_picture
from jomed_app.types import Check, ImageRecord, Picture, Region, RegionWish

Corners = tuple[int, int, int, int]
Pixel = TypeVar("Pixel", bound=np.generic)
ULTRASOUND = ("US", "IVUS", "BDUS", "OT")  # OT: a captured screen
SOURCE_WORDS = {"tag": "from the file", "detected": "detected", "user": "set by hand"}


def with_region(record: ImageRecord, wish: RegionWish | None) -> ImageRecord:
    """Return a record that reads another part of the same picture; nothing is decoded again.

    Args:
        record: holds its whole picture.
        wish: found, whole, or (x0, y0, x1, y1) in px of the file, half-open. None reads a case of
            a corpus as it lies in its file, and keeps no picture: its boxes are in px of the file.

    Returns:
        The record with model input, values, spacing, content and checks of that part.

    Raises:
        ImageError: if the record holds no whole picture, or the region does not lie in it.
    """
    picture = record.picture
    if picture is None and wish is None:
        picture = _unseen(record)
    if picture is None:
        raise ImageError("a region requires the whole picture, found none; open the file again")
    size = record.info.rows, record.info.columns
    region = on_grid(_wanted(picture, wish or "whole", *size), picture.step, *size)
    corners = reduced_corners(region.corners, picture.step)
    model_input = _part(picture.rendering, corners)
    values = None if picture.values is None else _part(picture.values, corners)
    spacing = region.spacing_mm or picture.spacing_mm
    kept = [check for check in record.info.checks if check.name not in PICTURE_CHECKS]
    rows, columns = region.y1 - region.y0, region.x1 - region.x0
    checks = (*kept, *assess_picture(model_input, rows, columns), _check(region, picture.step))
    if wish is not None:
        lines = lines_in(picture.text, region.corners)
        small = tuple(reduced_corners(line, picture.step) for line in lines)
        model_input = paint_over(model_input, small)
        checks = (*checks, text_check(lines, rows, columns))
    metadata = dict(record.metadata)
    metadata.pop("PixelSpacing", None)
    if spacing is not None:
        metadata["PixelSpacing"] = f"{spacing[0]:g} x {spacing[1]:g}"
    return replace(
        record,
        model_input=model_input,
        modality_values=values,
        info=record.info.model_copy(
            update={
                "region": region,
                "region_as_asked": wish is not None and region != picture.found,
                "checks": checks,
            }
        ),
        metadata=metadata,
        pixel_spacing_mm=spacing,
        picture=None if wish is None else picture,
        content=look(model_input, is_gray=values is not None),
    )


def look_at(record: ImageRecord, named: Region | None) -> Picture:
    """Return a record's whole picture with the text in it and the region to read, as it is held.

    Args:
        record: reads the whole picture.
        named: the region that the file names, if it does.
    """
    rendering, spacing = record.model_input, record.pixel_spacing_mm
    text = find_text(rendering)
    found = named
    if found is None and record.info.modality in (None, *ULTRASOUND):
        corners = find_screen_region(rendering, text)
        if corners is not None:
            x0, y0, x1, y1 = corners
            found = Region(x0=x0, y0=y0, x1=x1, y1=y1, source="detected")
    rows, columns = rendering.shape[:2]
    return held_picture(
        Picture(
            rendering=rendering,
            values=record.modality_values,
            found=found or Region.of_whole(rows, columns, spacing),
            text=text,
            spacing_mm=spacing,
        )
    )


def wish_of(record: ImageRecord) -> RegionWish:
    """Return what would choose the region that a record reads, for another frame of its file."""
    region, picture = record.info.region, record.picture
    if region is None or picture is None or region == picture.found:
        return "found"
    return region.corners if region.source == "user" else "whole"


def parse_region(words: str) -> RegionWish:
    """Return a wish from words: "found", "whole", or four whole numbers "x0,y0,x1,y1".

    Raises:
        ImageError: if the words are none of these.
    """
    said = words.strip().lower()
    if said in ("", "found"):
        return "found"
    if said == "whole":
        return "whole"
    parts = [part.strip() for part in said.split(",")]
    if len(parts) == 4 and all(part.isascii() and part.isdigit() for part in parts):
        x0, y0, x1, y1 = (int(part[:9]) for part in parts)
        return x0, y0, x1, y1
    raise ImageError(
        "a region must be 'found', 'whole' or four whole numbers x0,y0,x1,y1 in px of the file, "
        "found something else; correct it"
    )


def _wanted(picture: Picture, wish: RegionWish, rows: int, columns: int) -> Region:
    """Return the region that a wish means in a picture of so many rows and columns of its file."""
    if wish == "found":
        return picture.found
    if wish == "whole":
        return Region.of_whole(rows, columns, picture.spacing_mm)
    x0, y0, x1, y1 = wish
    is_inside = min(x0, y0) >= 0 and x1 <= columns and y1 <= rows
    if not is_inside or min(x1 - x0, y1 - y0) < MIN_REGION_PX:
        raise ImageError(
            f"a region must lie in the picture of {columns} x {rows} px and have at least "
            f"{MIN_REGION_PX} px a side, found x {x0} to {x1}, y {y0} to {y1}; correct it"
        )
    region = Region(x0=x0, y0=y0, x1=x1, y1=y1, source="user")
    if not picture.found.holds(region):
        return region
    return region.model_copy(update={"spacing_mm": picture.found.spacing_mm})


def _unseen(record: ImageRecord) -> Picture:
    """Return a record's picture without a look at it."""
    rows, columns = record.model_input.shape[:2]
    spacing = record.pixel_spacing_mm
    whole = Region.of_whole(rows, columns, spacing)
    return Picture(record.model_input, record.modality_values, whole, spacing_mm=spacing)


def _part(pixels: NDArray[Pixel], corners: Corners) -> NDArray[Pixel]:
    """Cut a part out, in one piece; the whole is not copied."""
    x0, y0, x1, y1 = corners
    part = pixels[y0:y1, x0:x1]
    if part.shape == pixels.shape:
        return pixels
    part = np.ascontiguousarray(part)
    part.setflags(write=False)
    return part


def _check(region: Region, step: int) -> Check:
    """Say what is read of the picture, and how much smaller it is held."""
    tail = "" if step == 1 else f" It is held at 1/{step} of its size along each side."
    if region.source == "whole":
        message = "The whole picture is read; no ultrasound region was cut out of it." + tail
        return Check(name="region", passed=True, value="whole picture", message=message)
    width, height = region.x1 - region.x0, region.y1 - region.y0
    how = SOURCE_WORDS[region.source]
    what = "the region" if region.source == "user" else "the ultrasound region"
    message = (
        f"Cropped to {what} of {width} x {height} px ({how}); only this part is read. "
        f"Look whether it holds the whole finding; the viewer can change it.{tail}"
    )
    return Check(name="region", passed=True, value=f"cropped, {how}", message=message)
