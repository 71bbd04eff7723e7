"""VQA-RAD as published -> the tables that `sources/vqa_rad.py` reads."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pandas as pd

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.layouts.written import IMAGES, Written, finish_table, take_image
from jomed_app.data.fetch.unpack import Published
from jomed_app.data.sources.vqa_rad import QUESTIONS_FILE, VQA_RAD_FOLDER
from jomed_app.errors import FetchError


def write_vqa_rad(found: Published, out: Path, described: PublicSet) -> Written:
    """Write VQA-RAD: one JSON of questions, a folder of images.

    Source: Lau et al. 2018, doi:10.1038/sdata.2018.251. Questions whose `phrase_type` begins with
    "test" are its test split.

    Raises:
        FetchError: if the questions are not there, or of another form.
    """
    path = found.one("VQA_RAD Dataset Public.json", "VQA_RAD*.json")
    files = found.by_name("*.jpg")
    written, images, questions = Written(), {}, []
    try:
        for asked in json.loads(path.read_bytes()):
            name = PurePosixPath(asked["image_name"]).name
            if name not in images:
                size = take_image(files[name], out, name) if name in files else None
                written.left_out["image that is missing or cannot be read"] += size is None
                images[name] = (
                    None
                    if size is None
                    else {"image": f"{IMAGES}/{name}", "w": size[1], "h": size[0]}
                )
            if images[name] is None:
                continue
            phrase = str(asked["phrase_type"]).strip()
            questions.append(
                {
                    "split": "test" if phrase.startswith("test") else "train",
                    "image": f"{IMAGES}/{name}",
                    "question": str(asked["question"]),
                    "answer": str(asked["answer"]),
                    "answer_type": str(asked["answer_type"]).strip(),
                    "question_type": str(asked.get("question_type", "")).strip(),
                    "organ": str(asked["image_organ"]).strip(),
                    "phrase_type": phrase,
                }
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            f"'{path.name}' must list questions as published, found another form; fetch it again"
        ) from error
    written.left_out = +written.left_out
    pd.DataFrame(questions).to_parquet(out / QUESTIONS_FILE)
    return finish_table(out, VQA_RAD_FOLDER, [row for row in images.values() if row], written)
