"""What is asked, what is written, and how an answer is read; by hand."""

from __future__ import annotations

import pytest

from jomed_app.boxes import Box
from jomed_app.models.reader.vlm.families import FAMILIES, Family
from jomed_app.objectives.umed.rewards import Statement
from jomed_app.training.rewards.text.statements import answer_of, question_of, read_answer

SIZE = (100, 200)
QWEN, PLAIN = FAMILIES["qwen2_5_vl"], Family()
BOX = Box(0.5, 0.25, 0.75, 0.5)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_what_is_written_is_read(task, name):
    family = FAMILIES[name]
    said = read_answer(task, family, answer_of(task, family, "malignant", BOX, SIZE), SIZE)
    assert said.statement == Statement("malignant")
    assert said.named == slice(0, len("malignant"))
    if family.boxes is None:
        assert said.boxes is None
    else:
        (found,) = said.boxes
        assert found.as_tuple() == pytest.approx(BOX.as_tuple(), abs=0.01)


def test_a_label_without_a_finding_is_written_alone_and_says_that_there_is_no_box(task):
    assert answer_of(task, QWEN, "normal", None, SIZE) == "normal"
    assert read_answer(task, QWEN, "normal", SIZE).boxes == []
    assert answer_of(task, QWEN, "benign", None, SIZE) == "benign\n[]"


def test_unreadable_differs_from_no_box(task):
    assert read_answer(task, QWEN, "benign\n[]", SIZE).boxes == []
    assert read_answer(task, QWEN, "benign\n[{", SIZE).boxes is None
    assert read_answer(task, QWEN, "benign", SIZE).boxes is None
    assert read_answer(task, QWEN, "normal or so", SIZE).boxes is None


def test_the_label_that_stands_first_counts_and_a_part_of_a_word_is_none(task):
    assert read_answer(task, PLAIN, "It is Benign, not malignant.", SIZE).named == slice(6, 12)
    assert (
        read_answer(task, PLAIN, "It is Benign, not malignant.", SIZE).statement.label == "benign"
    )
    assert read_answer(task, PLAIN, "abnormal", SIZE).statement is None


def test_descriptors_behind_the_label_are_read(task):
    (name, values), *_ = task.descriptors.items()
    said = read_answer(task, PLAIN, f"benign, {values[-1].upper()}", SIZE)
    assert said.statement.descriptors[name] == values[-1]


def test_only_a_family_that_writes_boxes_is_asked_for_one(task):
    assert question_of(task, PLAIN) == task.question
    assert question_of(task, QWEN).startswith(f"{task.question} Outline the lesion")
    whole = task.model_copy(update={"has_boxes": False})
    assert question_of(whole, QWEN) == task.question
    assert answer_of(whole, QWEN, "malignant", BOX, SIZE) == "malignant"
