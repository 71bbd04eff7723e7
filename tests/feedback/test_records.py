"""Training records of judgements, and override and harm month by month."""

from __future__ import annotations

import csv
import json

from jomed_app.feedback.judgement import PlaceMark
from jomed_app.feedback.records import as_csv, as_jsonl, by_month
from tests.feedback.made import judgement, own

PLACE = PlaceMark(box=(1, 2, 3, 4), label="malignant", score=0.8, is_right=False)


def test_a_record_holds_every_mark():
    said = judgement(
        verdict="disagree", label="benign", reasons=("image quality",), said="=1+1",
        similar={"case-0": True, "case-1": False}, places=(PLACE,), own=own(True, False),
        truth="malignant",
    )  # fmt: skip
    (record,) = [json.loads(line) for line in as_jsonl([said]).splitlines()]
    assert record["schema"] == "jomed.feedback/1"
    assert record["places"][0] == {
        "box": [1, 2, 3, 4], "label": "malignant", "score": 0.8, "is_right": False,
    }  # fmt: skip
    (row,) = csv.DictReader(as_csv([said]).splitlines())
    assert (row["similar"], row["not_similar"]) == ("case-0", "case-1")
    assert (row["said"], row["effect"], row["label"]) == ("'=1+1", "harm", "benign")
    assert row["places"] == "malignant 0.80 wrong"
    assert (row["category_before"], row["acts_after"]) == ("4A", "False")


def test_rates_are_counted_by_month():
    november, december = "2026-11-30T10:00:00+00:00", "2026-12-01T10:00:00+00:00"
    all_of_them = [
        judgement("1", verdict="disagree", at=november, own=own(True, False), truth="malignant"),
        judgement("2", verdict="unsure", at=november),
        judgement("3", at=december, own=own(False, True), truth="malignant"),
        judgement("4", at=december, own=own(True, True), truth="malignant"),
    ]
    first, second, whole = by_month(all_of_them)
    assert (first.name, first.num_judged, first.num_overridden, first.num_decided) == (
        "2026-11", 2, 1, 1,
    )  # fmt: skip
    assert (first.num_compared, first.num_harmed, first.num_helped) == (1, 1, 0)
    assert (second.num_compared, second.num_harmed, second.num_helped) == (2, 0, 1)
    assert (whole.name, whole.num_judged, whole.num_compared) == ("all", 4, 3)
    assert [each.num_judged for each in by_month([])] == [0]
