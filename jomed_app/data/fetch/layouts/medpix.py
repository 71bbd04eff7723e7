"""MedPix 2.0 as published -> the table that `sources/medpix.py` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import IMAGES, Written, finish_table, take_image
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.sources.medpix import MEDPIX_FOLDER
from jomed_app.data.sources.vqa_rad import VQA_RAD_FOLDER
from jomed_app.errors import FetchError

SPLITS = {
    "train": ("data_train.jsonl", "data_train_1.jsonl", "data_train_2.jsonl"),
    "dev": ("data_dev.jsonl",),
    "test": ("data_test.jsonl",),
}
DESCRIPTIONS = ("Descriptions.json", "Description.json")


def write_medpix(found: Published, out: Path, described: PublicSet) -> Written:
    """Write MedPix 2.0: cases by split, a description for each image, a folder of PNG images.

    Source: MedPix 2.0, arXiv:2407.02994; the fields are those of its README.
    Ours: images that also stand in VQA-RAD, which names its own by their MedPix number, are marked:
    the tasks leave them out.

    Raises:
        FetchError: if cases or descriptions are not there, or of another form, or VQA-RAD does not
            lie beside.
    """
    shared = _of_vqa_rad(out.parent / VQA_RAD_FOLDER)
    files = found.by_name("*.png") | found.by_name("*.jpg")
    written, rows = Written(), []
    try:
        cases = dict(_cases(found))
        for said in json.loads(found.one(*DESCRIPTIONS).read_bytes()):
            case_id, stem = str(said["U_id"]), Path(str(said["image"])).stem
            path = files.get(f"{stem}.png") or files.get(f"{stem}.jpg")
            name = f"{stem}{path.suffix}" if path else ""
            size = take_image(path, out, name) if path else None
            if size is None or case_id not in cases:
                written.left_out["image or case that is missing"] += 1
                continue
            split, case = cases[case_id]
            rows.append(_row(said, split, case) | {"in_vqa_rad": stem.rpartition("_")[2] in shared,
                                                   "image": f"{IMAGES}/{name}",
                                                   "w": size[1], "h": size[0]})  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            "MedPix 2.0 must list cases and descriptions as published, found another form; fetch "
            "it again"
        ) from error
    return finish_table(out, MEDPIX_FOLDER, rows, written)


def _of_vqa_rad(folder: Path) -> set[str]:
    """Numbers of the images that VQA-RAD took from MedPix."""
    try:
        rows = pd.read_parquet(folder / f"{VQA_RAD_FOLDER}.parquet", columns=["image"])
    except (OSError, ValueError) as error:
        raise FetchError(
            "MedPix 2.0 shares images with VQA-RAD and must have it beside to tell which, found "
            "none; first run: data get vqa_rad"
        ) from error
    return {Path(name).stem for name in rows["image"]}


def _cases(found: Published) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """Case id -> split and case, of the files by split that are there."""
    for split, names in SPLITS.items():
        for path in [each for name in names for each in found.all(name)]:
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    case = json.loads(line)
                    yield str(case["U_id"]), (split, case)


def _row(said: dict[str, Any], split: str, case: dict[str, Any]) -> dict[str, Any]:
    told, about, topic = said["Description"], case["Case"], case["Topic"]
    return {
        "split": split,
        "case_id": str(said["U_id"]),
        "type": said.get("Type"),
        "modality": told.get("Modality"),
        "plane": told.get("Plane"),
        "location": said.get("Location") or said.get("location"),
        "location_category": said.get("Location Category") or said.get("location category"),
        "caption": told.get("Caption"),
        "findings": about.get("Findings"),
        "diagnosis": about.get("Case Diagnosis") or about.get("Title"),
        "topic_category": topic.get("Category"),
        "disease_discussion": topic.get("Disease Discussion"),
    }
