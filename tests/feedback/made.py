"""Judgements made up for tests."""

from __future__ import annotations

from jomed_app.feedback.judgement import Judgement, OwnReads


def own(before: bool, after: bool) -> OwnReads:
    return OwnReads(
        category_before="4A" if before else "2",
        category_after="4A" if after else "2",
        probability_before=60 if before else 5,
        probability_after=60 if after else 5,
        acts_before=before,
        acts_after=after,
    )


def judgement(reading: str = "r1", **change) -> Judgement:
    values = {
        "reading": reading, "case": "c" * 32, "at": "2026-11-30T10:00:00+00:00", "app": "0.1",
        "bundle": "b 1", "index": "i 1", "task": "breast", "positive": "malignant",
        "search": "joint", "state": "disagree", "answer": "malignant", "probability": 0.6,
        "verdict": "agree",
    }  # fmt: skip
    return Judgement(**{**values, **change})
