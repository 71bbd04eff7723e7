"""SLAKE as published -> the tables that `sources/slake.py` and `slake_disease.py` read."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import IMAGES, Written, finish_table, take_image
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.sources.slake import QUESTIONS_FILE, SLAKE_FOLDER
from jomed_app.data.sources.slake_disease import OTHER_DISEASE, SLAKE_DISEASE
from jomed_app.data.tasks import load_task
from jomed_app.errors import FetchError

QUESTIONS = {"train": ("train.json",), "validation": ("validation.json", "validate.json"),
             "test": ("test.json",)}  # fmt: skip
ENGLISH = "en"


def write_slake(found: Published, out: Path, described: PublicSet) -> Written:
    """Write SLAKE: a folder `xmlab1` for each image, questions by split; the English ones.

    Source: SLAKE, arXiv:2102.09542.
    Ours: a box is of a disease where its name is a finding of the task `slake_disease`; boxes are
    published as x, y, width, height.

    Raises:
        FetchError: if questions are not there, or of another form.
    """
    task = load_task(SLAKE_DISEASE)
    diseases = {label for label in task.labels if label not in task.empty_labels} - {OTHER_DISEASE}
    written = Written()
    images: dict[str, dict[str, Any]] = {}
    questions: list[dict[str, Any]] = []
    for split, names in QUESTIONS.items():
        path = found.one(*names)
        try:
            for asked in json.loads(path.read_bytes()):
                folder = PurePosixPath(asked["img_name"]).parent.name
                if asked["q_lang"] != ENGLISH:
                    continue
                if folder not in images:
                    images[folder] = _image(found, folder, out, split, asked, diseases, written)
                if images[folder]:
                    questions.append(
                        {
                            "split": split,
                            "image": images[folder]["image"],
                            **{field: str(asked[field]) for field in
                               ("question", "answer", "answer_type", "content_type", "modality")},
                        }
                    )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FetchError(
                f"'{path.name}' must list questions as published, found another form; fetch it "
                "again"
            ) from error
    pd.DataFrame(questions).to_parquet(out / QUESTIONS_FILE)
    return finish_table(out, SLAKE_FOLDER, [row for row in images.values() if row], written)


def _image(
    found: Published,
    folder: str,
    out: Path,
    split: str,
    asked: dict[str, Any],
    diseases: set[str],
    written: Written,
) -> dict[str, Any]:
    """A row of the table of images; empty where the image cannot be read."""
    files = found.all(f"{folder}/source.jpg")
    size = take_image(files[0], out, f"{folder}.jpg") if files else None
    if size is None:
        written.left_out["image that is missing or cannot be read"] += 1
        return {}
    boxes = []
    for path in found.all(f"{folder}/detection.json"):
        for named in json.loads(path.read_bytes()):
            boxes += [(str(name), list(map(float, edges))) for name, edges in named.items()]
    return {
        "image": f"{IMAGES}/{folder}.jpg",
        "split": split,
        "location": str(asked.get("location", "")),
        "modality": str(asked["modality"]),
        "box_names": [name for name, _ in boxes],
        "is_disease": [name.casefold() in diseases for name, _ in boxes],
        "boxes": [[x, y, x + width, y + height] for _, (x, y, width, height) in boxes],
        "w": size[1],
        "h": size[0],
    }
