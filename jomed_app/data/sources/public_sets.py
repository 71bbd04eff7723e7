"""Tables of prepared public sets: a parquet file in the set's folder, images beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from jomed_app.errors import RecordError


def read_set_table(
    data: Path, set_name: str, file_name: str, needed: frozenset[str]
) -> tuple[Path, pd.DataFrame]:
    """Read a table of a prepared public set.

    Args:
        data: a root that holds the folder `set_name`, or that folder.
        set_name: name of the set's folder.
        file_name: the parquet file in it.
        needed: fields that the table must have.

    Returns:
        The set's folder and the table.

    Raises:
        RecordError: if the table is not there, unreadable or lacks a field.
    """
    folder = data / set_name if (data / set_name).is_dir() else data
    table = folder / file_name
    if not table.is_file():
        raise RecordError(
            f"the set '{set_name}' requires {file_name} in the data folder, found none; name the "
            f"folder that holds it"
        )
    try:
        rows = pd.read_parquet(table)
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{file_name} must be a parquet table, found a file that cannot be read as one; "
            f"prepare the set again"
        ) from error
    if missing := needed - set(rows.columns):
        raise RecordError(
            f"{file_name} must have the fields {sorted(needed)}, found none named "
            f"{sorted(missing)}; prepare the set again"
        )
    return folder, rows


def image_size(folder: Path, row: dict[str, Any], place: int) -> tuple[int, int]:
    """Return (rows, columns) of a case's image, px: of the table, else of the file's header.

    Args:
        folder: where image paths start from.
        row: a row of a set's table; `h` and `w` are its image's size, px.
        place: number of that row, from 0; names the image in an error.

    Raises:
        RecordError: if the size is not in the table and the image cannot be opened.
    """
    if pd.notna(row.get("h")) and pd.notna(row.get("w")):
        return int(row["h"]), int(row["w"])
    from PIL import Image

    try:
        with Image.open(folder / str(row["image"])) as image:
            return image.height, image.width
    except OSError as error:
        raise RecordError(
            f"row {place} must have a size (w, h) or a readable image, found neither; add the "
            f"image or its size"
        ) from error
