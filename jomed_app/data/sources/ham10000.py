"""HAM10000 -> case records: dermoscopic images of seven kinds of pigmented lesion, a box each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from jomed_app.boxes import Box
from jomed_app.data.formats.boxed import checked_box
from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import read_set_table
from jomed_app.errors import RecordError

HAM10000_FOLDER = "ham10000"
LABELS = {
    "akiec": "actinic keratosis",
    "bcc": "basal cell carcinoma",
    "bkl": "benign keratosis",
    "df": "dermatofibroma",
    "mel": "melanoma",
    "nv": "nevus",
    "vasc": "vascular lesion",
}
# How a diagnosis was made, in words that name none.
DIAGNOSED = {
    "histo": "diagnosed by histology",
    "follow_up": "diagnosed by follow-up",
    "consensus": "diagnosed by expert consensus",
    "confocal": "diagnosed by confocal microscopy",
}
AGE_BAND_YEARS = 20
HAM10000_PROVENANCE = {
    "source": "HAM10000",
    "licence": "CC BY-NC 4.0, non-commercial use only",
    "label_made": "histology, follow-up, expert consensus or confocal microscopy; not by us",
    "known_noise": "two thirds are nevi; about half of the labels have no histology",
}

_NEEDED = frozenset(
    {"image", "split", "group", "label", "dx_type", "age", "sex", "localization", "boxes", "w", "h"}
)
_SEXES = ("female", "male")
_NOT_SAID = frozenset({"", "unknown", "nan"})


def read_ham10000(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the prepared HAM10000 set, one record per image; images of one lesion form a group.

    Source: HAM10000, arXiv:1803.10417; DermaMNIST (arXiv:2110.14795) is made of it.
    Ours: the set has no reports, so the passage words age band, sex, site, how the diagnosis was
    made and the size of the box; the label is never in it. What a case does not say is left out.

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        The folder that the records' image paths start from, and the records in the table's order.

    Raises:
        RecordError: if the set's table is not there, unreadable or lacks a field, if a label is
            none of the seven, or if a box lies outside its image.
        BoxError: if a box is empty, inverted or not finite.
    """
    folder, rows = read_set_table(data, HAM10000_FOLDER, f"{HAM10000_FOLDER}.parquet", _NEEDED)
    records = []
    for place, row in enumerate(rows.to_dict("records")):
        if row["label"] not in LABELS:
            raise RecordError(
                f"a label of {HAM10000_FOLDER} must be one of {sorted(LABELS)}, found another in "
                f"row {place}; prepare the set again"
            )
        width, height = int(row["w"]), int(row["h"])
        where = f"row {place} of {HAM10000_FOLDER}"
        boxes = sorted(
            (checked_box(Box(*map(float, box)), width, height, where) for box in row["boxes"]),
            key=lambda box: -box.area,
        )
        records.append(
            CaseRecord(
                case_id=f"ham-{Path(row['image']).stem}",
                image=str(row["image"]),
                label=LABELS[row["label"]],
                passage=lesion_passage(row, boxes),
                boxes=tuple(box.as_tuple() for box in boxes),
                group=str(row["group"]),
                split=str(row["split"]),
                rows=height,
                columns=width,
                provenance=HAM10000_PROVENANCE,
            )
        )
    return folder, records


def lesion_passage(row: dict[str, Any], boxes: list[Box]) -> str:
    """Word what the set tells of a lesion beside its label.

    Args:
        row: `age` in years, `sex`, `localization`, `dx_type`; `w` and `h` of the image, px.
        boxes: around the lesion, largest first.
    """
    site = _said(row["localization"])
    facts = ["Pigmented skin lesion" + (f" of the {site}" if site else "")]
    if boxes:
        share = round(100 * boxes[0].area / (int(row["w"]) * int(row["h"])))
        facts.append(f"{share} % of the image")
    if sex := _said(row["sex"]):
        facts.append(sex if sex in _SEXES else "sex not stated")
    if pd.notna(row["age"]):
        first = int(row["age"]) // AGE_BAND_YEARS * AGE_BAND_YEARS
        facts.append(f"age {first} to {first + AGE_BAND_YEARS - 1}")
    if how := DIAGNOSED.get(_said(row["dx_type"])):
        facts.append(how)
    return ", ".join(facts) + "."


def _said(value: object) -> str:
    """The words of a field; empty where it says nothing."""
    words = str(value).strip().lower() if value is not None else ""
    return "" if words in _NOT_SAID else words
