"""MedPix 2.0 selection -> case records: CT and MR images with what their cases say about them."""

from __future__ import annotations

import re
from pathlib import Path

from jomed_app.data.records import CaseRecord
from jomed_app.data.sources.public_sets import image_size, read_set_table
from jomed_app.data.wording.extended import (
    end_sentence,
    extend_description,
    shorten_sentences,
    split_sentences,
)

MEDPIX_FOLDER = "medpix2"
PASSAGE_WORDS = 60
UNKNOWN_LABEL = "unknown"

_NEEDED = frozenset({"image", "case_id", "caption", "findings", "diagnosis", "in_vqa_rad"})
_NOTHING = frozenset({"", "n/a", "na", "none", "nan", "unknown", ".", "-"})
_SPLITS = {"dev": "val"}
_FACTS = (
    ("modality", "type"),
    ("plane", "plane"),
    ("location", "location_category"),
    ("category", "topic_category"),
)

# A heading or a link says nothing without what it leads to.
_POINTS_ELSEWHERE = re.compile(r":$|https?://|www\.")


def read_medpix(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the prepared MedPix 2.0 selection, one record per image that has a text.

    Source: MedPix 2.0, arXiv:2407.02994.
    Ours: the passage is the caption, or the findings where there is no caption, cut to 60 words;
    the extended passage adds findings, then the discussion of the disease, which may name the
    diagnosis. The table's split "dev" is our "val". What the table says of modality, plane, part
    of the body and kind of disease goes to the provenance, where a task finds its labels.

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        The folder that the records' image paths start from, and the records in the table's order.

    Raises:
        RecordError: if the set's table is not there, unreadable or lacks a field, or if a size
            is neither in the table nor in a readable image.
    """
    folder, rows = read_set_table(data, MEDPIX_FOLDER, f"{MEDPIX_FOLDER}.parquet", _NEEDED)
    records = []
    for place, row in enumerate(rows.to_dict("records")):
        findings = split_sentences(_text(row["findings"]))
        written = split_sentences(_text(row["caption"])) or findings
        passage = end_sentence(shorten_sentences(written, PASSAGE_WORDS))
        if not passage:
            continue
        discussion = split_sentences(_text(row.get("disease_discussion")))
        more = [line for line in [*findings, *discussion] if not _POINTS_ELSEWHERE.search(line)]
        height, width = image_size(folder, row, place)
        records.append(
            CaseRecord(
                case_id=f"medpix-{Path(row['image']).stem}",
                image=str(row["image"]),
                label=" ".join(_text(row["diagnosis"]).split()) or UNKNOWN_LABEL,
                passage=passage,
                extended_passage=extend_description(passage, more),
                group=str(row["case_id"]),
                split=_SPLITS.get(_text(row.get("split")), _text(row.get("split"))),
                rows=height,
                columns=width,
                provenance={
                    "source": "MedPix 2.0 selection",
                    "label_made": "diagnosis as its case states it; not reviewed by us",
                    "in_vqa_rad": "yes" if row["in_vqa_rad"] else "no",
                    **{
                        name: _text(row.get(field))
                        for name, field in _FACTS
                        if _text(row.get(field))
                    },
                },
            )
        )
    return folder, records


def _text(value: object) -> str:
    """The text of a field; empty for a missing value or a word that stands for one."""
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.casefold() in _NOTHING else text
