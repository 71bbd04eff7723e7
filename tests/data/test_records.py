"""Case records: boxes and their labels, and what is written of them."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from jomed_app.data.records import CaseRecord, read_records, write_records
from jomed_app.errors import RecordError

FIELDS = {
    "case_id": "c1",
    "image": "1.png",
    "label": "mass",
    "passage": "A mass.",
    "rows": 8,
    "columns": 9,
}
BOXES = ((0.0, 0.0, 4.0, 4.0), (5.0, 5.0, 6.0, 7.0))


def test_labels_of_boxes_come_back(tmp_path):
    record = CaseRecord(**FIELDS, boxes=BOXES, box_labels=("mass", "nodule"))
    write_records(tmp_path, [record])
    assert read_records(tmp_path) == [record]


def test_without_labels_of_boxes_nothing_is_written_of_them(tmp_path):
    record = CaseRecord(**FIELDS, boxes=BOXES)
    assert "box_labels" not in record.model_dump()
    line = write_records(tmp_path, [record]).read_text(encoding="utf-8")
    assert "box_labels" not in json.loads(line)
    assert read_records(tmp_path) == [record]


@pytest.mark.parametrize(("boxes", "labels"), [(BOXES, ("mass",)), ((), ("mass",))])
def test_labels_must_be_as_many_as_boxes(boxes, labels):
    found = f"found 1 labels for {len(boxes)} boxes"
    with pytest.raises(ValidationError, match=f"name every box or none, {found}"):
        CaseRecord(**FIELDS, boxes=boxes, box_labels=labels)


def test_a_wrong_line_is_named(tmp_path):
    wrong = {**FIELDS, "boxes": BOXES, "box_labels": ["mass"]}
    (tmp_path / "records.jsonl").write_text(json.dumps(wrong) + "\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"line 1 must follow the case schema: .*box_labels"):
        read_records(tmp_path)
