"""Which part of the picture is read, in words and as JSON data, and what the page sends back."""

from __future__ import annotations

from typing import Any

from jomed_app.imaging.content.region import SOURCE_WORDS, wish_of
from jomed_app.types import ImageRecord, Region, RegionWish


def shown_region(image: ImageRecord) -> Region:
    """Return the region that is read, px of the file."""
    return image.info.region or Region.of_whole(image.info.rows, image.info.columns)


def size_words(image: ImageRecord) -> str:
    """Return the size of what is read, and of the picture where that is larger."""
    rows, columns = image.size_px
    whole = f" of {image.info.columns} x {image.info.rows}"
    is_part = (rows, columns) != (image.info.rows, image.info.columns)
    return f"{columns} x {rows}{whole if is_part else ''} px"


def region_value(image: ImageRecord) -> dict[str, Any]:
    """Return the region as JSON data.

    Returns:
        `corners` (x0, y0, x1, y1) in px of the file, its `rows` and `columns`, `wish` that chose
        it, `found` whether a region smaller than the picture was found, and `words`.
    """
    region, picture = shown_region(image), image.picture
    found = picture is not None and picture.found.source != "whole"
    wish = wish_of(image)
    said = (
        "the whole image" if region.source == "whole" else f"a part ({SOURCE_WORDS[region.source]})"
    )
    return {
        "corners": region.corners,
        "rows": image.info.rows,
        "columns": image.info.columns,
        "wish": "whole" if region.source == "whole" else wish,
        "found": found,
        "words": f"Read: {said}.",
    }


def region_wish(sent: object) -> RegionWish:
    """Return the wish that the page sent; anything malformed counts as the region found."""
    if sent == "whole":
        return "whole"
    if isinstance(sent, list) and len(sent) == 4 and all(isinstance(each, int) for each in sent):
        return sent[0], sent[1], sent[2], sent[3]
    return "found"
