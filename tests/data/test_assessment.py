"""The scale of a reader's suspicion."""

from __future__ import annotations

import json

import pytest

from jomed_app.data.tasks import load_task, task_from_dict, task_of_bundle
from jomed_app.data.tasks.assessment import SUSPICION, Assessment
from jomed_app.errors import RecordError

SCALE = {"title": "S", "categories": ["1", "2"], "meanings": ["no", "yes"], "acts_from": "2"}
SMALL = {"name": "t", "title": "T", "question": "?", "labels": ["a", "b"], "positive_label": "a"}


def test_breast_ultrasound_is_read_by_bi_rads_and_acts_from_4a():
    scale = load_task("breast").assessment
    assert scale.title == "BI-RADS"
    assert [scale.acts(each) for each in scale.categories] == [False] * 3 + [True] * 4
    assert scale.choices["4C"] == "high suspicion"
    assert load_task("breastmnist").assessment == scale


def test_any_other_task_has_five_steps_of_suspicion():
    assert load_task("derma").assessment is SUSPICION
    assert [SUSPICION.acts(each) for each in "12345"] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"acts_from": "1"}, "acts_from must be one of the categories, and not the first"),
        ({"acts_from": "3"}, "acts_from must be one of the categories, and not the first"),
        ({"meanings": ["no"]}, "meanings must be as many as the categories"),
    ],
)
def test_a_scale_that_contradicts_itself_is_refused(change, said):
    with pytest.raises(RecordError, match=said):
        task_from_dict({**SMALL, "assessment": {**SCALE, **change}})


def test_a_bundle_of_before_takes_the_scale_of_the_task_that_ships_and_keeps_its_own():
    sealed = json.loads(load_task("breast").model_dump_json(exclude={"assessment", "modalities"}))
    task = task_of_bundle(sealed)
    assert (task.assessment.title, task.modalities) == ("BI-RADS", ("US",))
    assert task_of_bundle({**sealed, "assessment": SCALE}).assessment == Assessment(**SCALE)
    assert task_of_bundle({**SMALL, "assessment": SCALE}).assessment.acts_from == "2"
