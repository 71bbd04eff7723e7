"""A folder of simulated images with two questions each, and the open task that asks them."""

from __future__ import annotations

from pathlib import Path

from jomed_app.data.records import AskedQuestion, write_records
from tests.tiny_bundle import write_tiny_corpus

TASK = """
name = "asked"
title = "Questions"
kind = "open"
question = "What is shown?"
has_boxes = false
"""
NUM_IMAGES, HELD_OUT = 9, 3


def write_asked_task(folder: Path) -> Path:
    """The task's file."""
    path = folder / "asked.toml"
    path.write_text(TASK)
    return path


def write_asked_images(folder: Path) -> Path:
    """Images with two questions each; the last three are held out, the very last is a training
    image's copy.
    """
    records = write_tiny_corpus(folder, NUM_IMAGES, seed=31)
    last = len(records) - 1
    shown = [*records[:last], records[0]]
    write_records(
        folder,
        [
            record.model_copy(
                update={
                    "split": "train" if place < len(records) - HELD_OUT else "val",
                    "image": shown[place].image,
                    "rows": shown[place].rows,
                    "columns": shown[place].columns,
                    "questions": (
                        AskedQuestion(question="What is it?", answer=record.label),
                        AskedQuestion(
                            question="Is it normal?",
                            answer="yes" if record.label == "normal" else "no",
                            is_closed=True,
                        ),
                    ),
                }
            )
            for place, record in enumerate(records)
        ],
    )
    return folder
