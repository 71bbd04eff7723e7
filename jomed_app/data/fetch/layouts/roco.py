"""ROCO v2 as published -> records: radiological images with captions, labelled by modality."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import IMAGES, Written, finish_records, take_image
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.records import CaseRecord
from jomed_app.data.wording.extended import end_sentence, shorten_sentences, split_sentences
from jomed_app.errors import FetchError

SPLITS = {"train": "train", "valid": "val", "test": "test"}
PASSAGE_WORDS = 60
# Concepts of the Unified Medical Language System that name a modality.
MODALITIES = {
    "C0040405": "CT",
    "C0024485": "MRI",
    "C0041618": "ultrasound",
    "C1306645": "X-ray",
    "C0002978": "angiography",
    "C0032743": "PET",
}


def write_roco(found: Published, out: Path, described: PublicSet) -> Written:
    """Write ROCO v2: captions and manually checked concepts by split, a folder of images each.

    Source: Rückert et al. 2024, arXiv:2405.10004.
    Ours: the label is the modality among the manual concepts; an image without exactly one is left
    out. The passage is the caption, cut to 60 words.

    Raises:
        FetchError: if captions or concepts are not there or lack a field.
    """
    images = found.by_name("*.jpg")
    written, records = Written(), []
    for folder, split in SPLITS.items():
        captions = _column(found, f"{folder}_captions.csv", "Caption")
        concepts = _column(found, f"{folder}_concepts_manual.csv", "CUIs")
        for name, caption in captions.items():
            said = {MODALITIES[each] for each in concepts.get(name, "").split(";")
                    if each in MODALITIES}  # fmt: skip
            passage = end_sentence(shorten_sentences(split_sentences(caption), PASSAGE_WORDS))
            if len(said) != 1 or not passage:
                written.left_out["no caption, or not one modality"] += 1
                continue
            path = images.get(f"{name}.jpg")
            size = take_image(path, out, path.name) if path else None
            if size is None:
                written.left_out["image that is missing or cannot be read"] += 1
                continue
            records.append(
                CaseRecord(
                    case_id=f"roco-{name}",
                    image=f"{IMAGES}/{name}.jpg",
                    label=said.pop(),
                    passage=passage,
                    split=split,
                    rows=size[0],
                    columns=size[1],
                    provenance={
                        "source": described.title,
                        "licence": described.licence,
                        "label_made": "modality among the set's manual concepts; not by us",
                    },
                )
            )
    return finish_records(out, records, written)


def _column(found: Published, name: str, field: str) -> dict[str, str]:
    """Image name -> a field of a table."""
    path = found.one(name)
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        return dict(zip(rows["ID"], rows[field], strict=True))
    except (ValueError, KeyError, OSError) as error:
        raise FetchError(
            f"'{name}' must have the fields ID and {field}, found another form; fetch it again"
        ) from error
