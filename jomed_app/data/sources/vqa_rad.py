"""VQA-RAD -> case records: radiological images, each with the questions asked about it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.data.sources.public_sets import image_size, read_set_table
from jomed_app.data.sources.slake import split_statements, state_answers
from jomed_app.data.wording.extended import extend_description
from jomed_app.data.wording.questions import group_questions

VQA_RAD_FOLDER = "vqa_rad"
QUESTIONS_FILE = "vqa_rad_qa.parquet"
HELD_OUT_EVERY = 5  # ours: a fifth of the images is held out
BODY_PARTS = {"HEAD": "head", "CHEST": "chest", "ABD": "abdomen"}

_IMAGE_FIELDS = frozenset({"image"})
_QUESTION_FIELDS = frozenset({"image", "split", "question", "answer", "answer_type", "organ"})


def read_vqa_rad(data: Path) -> tuple[Path, list[CaseRecord]]:
    """Read the prepared VQA-RAD set, one record per image and split.

    Source: VQA-RAD, Lau et al. 2018.
    Ours: the published test questions are about images that also occur in train, so a validation
    split is cut by image: a hash of the image's name holds a fifth of them out ("val"). The passage
    states, by rules, what the image's questions and answers say. All records of one image are one
    group, so that an image's own answers never stand beside it.

    Args:
        data: a root that holds the set's folder, or that folder.

    Returns:
        The folder that the records' image paths start from, and the records in the order of the
        table of images; an image without an answered question has none.

    Raises:
        RecordError: if a table of the set is not there, unreadable or lacks a field, or if a size
            is neither in the table nor in a readable image.
    """
    folder, images = read_set_table(
        data, VQA_RAD_FOLDER, f"{VQA_RAD_FOLDER}.parquet", _IMAGE_FIELDS
    )
    _, rows = read_set_table(data, VQA_RAD_FOLDER, QUESTIONS_FILE, _QUESTION_FIELDS)
    rows = rows.fillna("")
    parts = dict(zip(rows["image"], rows["organ"], strict=True))
    tests = group_questions(rows[rows["split"] == "test"])
    others = group_questions(rows[rows["split"] != "test"])
    records = []
    for place, row in enumerate(images.to_dict("records")):
        size = image_size(folder, row, place)
        part = BODY_PARTS.get(str(parts.get(row["image"], "")).upper(), "unknown")
        for questions, split in (
            (others.get(row["image"]), held_out_split(Path(row["image"]).name)),
            (tests.get(row["image"]), "test"),
        ):
            if questions:
                records.append(_to_record(row, split, part, questions, size))
    return folder, records


def held_out_split(name: str) -> str:
    """Return the side of an image by its file name alone: val for about a fifth, else train."""
    digest = hashlib.sha256(name.encode()).digest()
    return "val" if digest[0] % HELD_OUT_EVERY == 0 else "train"


def _to_record(
    row: dict[Any, Any],
    split: str,
    part: str,
    questions: Sequence[AskedQuestion],
    size: tuple[int, int],
) -> CaseRecord:
    name = Path(row["image"]).stem
    said = state_answers([(one.question, one.answer) for one in questions])
    passage, more = split_statements(said)
    return CaseRecord(
        case_id=f"vqarad-{name}" + ("-test" if split == "test" else ""),
        image=str(row["image"]),
        label=part,
        passage=passage,
        extended_passage=extend_description(passage, more),
        group=name,
        split=split,
        rows=size[0],
        columns=size[1],
        questions=tuple(questions),
        provenance={
            "source": "VQA-RAD",
            "label_made": "part of the body as the set names it; not reviewed by us",
            "passage_made": "by rules from the set's questions and answers",
        },
    )
