"""Tables of questions -> the questions of each image, and the words an answer is taught in."""

from __future__ import annotations

import re

import pandas as pd

from jomed_app.data.records import AskedQuestion

CLOSED = "CLOSED"

_NAME_IN_CAPITALS = re.compile(r"[A-Z][A-Z0-9-]+$")


def group_questions(rows: pd.DataFrame) -> dict[str, tuple[AskedQuestion, ...]]:
    """Return image -> its questions that have an answer, in the table's order.

    Args:
        rows: one row per question; needs image, question, answer and answer_type (OPEN or CLOSED).
    """
    found: dict[str, tuple[AskedQuestion, ...]] = {}
    for row in rows.to_dict("records"):
        answer = " ".join(str(row["answer"]).split())
        if not answer:
            continue
        one = AskedQuestion(
            question=" ".join(str(row["question"]).split()),
            answer=answer,
            is_closed=str(row["answer_type"]).strip().upper() == CLOSED,
        )
        found[row["image"]] = (*found.get(row["image"], ()), one)
    return found


def taught_answer(answer: str) -> str:
    """Return an answer as a reader is tuned to say it: in lower case but for names such as CT.

    Example:
        >>> taught_answer("Left Lung, on CT.")
        'left lung, on CT'
    """
    words = answer.strip().rstrip(".").split()
    return " ".join(word if _NAME_IN_CAPITALS.match(word) else word.lower() for word in words)
