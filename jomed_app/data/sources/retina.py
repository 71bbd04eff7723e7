"""RetinaMNIST -> case records: fundus images of 28 px, passages made of what pixels measure."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import read_set_table
from jomed_app.errors import RecordError

RETINA_FOLDER = "retinamnist28"
GRADES = ("no retinopathy", "mild", "moderate", "severe", "proliferative")
TWIN_CORRELATION = 0.995
RETINA_PROVENANCE = {
    "source": "RetinaMNIST (28 px)",
    "label_made": "grade 0 to 4 of the source set; not reviewed by us",
    "passage_made": "by measuring the pixels; no report comes with the set",
    "known_noise": "28 px: small lesions are lost; near-duplicates within and across splits",
}

_NEEDED = frozenset({"split", "index", "label", "png"})
_FIELD_BRIGHTNESS = 20.0  # mean of the channels; what is darker lies outside the round field
_STEP = 12.0  # how far, in green, a small structure stands out of its surroundings
_SURROUNDINGS_PX = 7

# (lowest value of the next bin, ...) and the words of the bins: quartiles of the training images.
_BRIGHTNESS = ((75.0, 110.0), ("dark", "medium bright", "bright"))
_HUE = ((0.468, 0.527), ("yellowish", "orange", "reddish"))
_DISC = ((49.0, 87.0), ("hardly", "clearly", "strongly"))
_LIGHT_SHARE = ((0.07, 0.15), ("few", "some", "many"))
_DARK_SHARE = ((0.002, 0.017), ("no", "few", "many"))


def read_retina(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the prepared RetinaMNIST set, one record per image.

    Source: MedMNIST v2, arXiv:2110.14795 (RetinaMNIST).
    Ours: the set has no reports, so the passage words five measured quantities in bins; nothing
    of the grade is in it. Images that are nearly the same form one group, whatever their grades
    and splits. The table holds the images as bytes: they are put into a private folder, named by
    row, which is removed when the program ends.

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        The folder that the records' image paths start from, and the records in the table's order.

    Raises:
        RecordError: if the set's table is not there, unreadable or lacks a field, if an image
            cannot be decoded, or if a grade is not 0 to 4.
    """
    home, rows = read_set_table(data, RETINA_FOLDER, f"{RETINA_FOLDER}.parquet", _NEEDED)
    images = [_decode(png, place) for place, png in enumerate(rows["png"])]
    groups = twin_groups(images)
    records = []
    for place, row in enumerate(rows.to_dict("records")):
        if row["label"] not in range(len(GRADES)):
            raise RecordError(
                f"a grade must be 0 to {len(GRADES) - 1}, found another in row {place}; prepare "
                f"the set again"
            )
        height, width = images[place].shape[:2]
        records.append(
            CaseRecord(
                case_id=f"retina-{row['split']}-{int(row['index']):04d}",
                image=_file_name(place),
                label=GRADES[int(row["label"])],
                passage=fundus_passage(images[place]),
                group=f"retina-{groups[place]}",
                split=str(row["split"]),
                rows=height,
                columns=width,
                provenance=RETINA_PROVENANCE,
            )
        )
    table = (home / f"{RETINA_FOLDER}.parquet").resolve()
    return _extract(table, table.stat().st_mtime_ns), records


def fundus_passage(image: NDArray[np.uint8]) -> str:
    """Word what pixels of a fundus image measure: brightness, hue, brightest spot, structures.

    Args:
        image: (H, W, 3) RGB, the round field on black.
    """
    pixels = image.astype(np.float64)
    green = pixels[..., 1]
    field = _field(pixels)
    from scipy.ndimage import median_filter

    stands_out = (green - median_filter(green, _SURROUNDINGS_PX, mode="nearest"))[field]
    red_share = pixels[..., 0][field].mean() / max(1.0, pixels[field].sum(axis=-1).mean())
    disc = np.percentile(green[field], 99) - np.median(green[field])
    return (
        f"Fundus image, {_bin(green[field].mean(), _BRIGHTNESS)}, {_bin(red_share, _HUE)} hue. "
        f"The brightest spot {_bin(disc, _DISC)} stands out. "
        f"{_bin((stands_out > _STEP).mean(), _LIGHT_SHARE).capitalize()} bright and "
        f"{_bin((stands_out < -_STEP).mean(), _DARK_SHARE)} dark small structures."
    )


def twin_groups(images: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Number groups of images that are linked by a correlation above 0.995.

    Args:
        images: N images (H, W, 3), all of one size; an image of one color has no twin.

    Returns:
        (N,) group of every image, from 0 on.
    """
    from scipy.sparse.csgraph import connected_components

    flat = np.stack([image.reshape(-1) for image in images]).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    _, groups = connected_components(flat @ flat.T > TWIN_CORRELATION, directed=False)
    return np.asarray(groups, dtype=np.int64)


def _field(pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The round field without its rim; the whole image where nothing else is left."""
    from scipy.ndimage import binary_erosion

    inside = binary_erosion(pixels.mean(axis=-1) > _FIELD_BRIGHTNESS, np.ones((3, 3)))
    return np.asarray(inside if inside.any() else np.ones_like(inside), dtype=np.bool_)


def _bin(value: float, scale: tuple[tuple[float, ...], tuple[str, ...]]) -> str:
    edges, words = scale
    return words[int(np.searchsorted(edges, value, side="right"))]


def _decode(png: object, place: int) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png if isinstance(png, bytes) else b"")) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise RecordError(
            f"row {place} must hold a PNG image, found bytes that cannot be read as one; prepare "
            f"the set again"
        ) from error


def _file_name(place: int) -> str:
    return f"{place:05d}.png"


@lru_cache(maxsize=8)
def _extract(table: Path, _stamp: int) -> Path:
    """Write the images of a table to a private folder, once per process and state of the table."""
    folder = Path(tempfile.mkdtemp(prefix="jomed-retina-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for place, png in enumerate(pd.read_parquet(table, columns=["png"])["png"]):
        (folder / _file_name(place)).write_bytes(png)
    return folder
