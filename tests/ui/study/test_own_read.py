"""What the page sent of a reader's own read: taken, or refused in one sentence."""

from __future__ import annotations

import pytest

from jomed_app.errors import ReadError
from jomed_app.ui.study.own_read import OwnRead, own_read_of
from tests.ui.fake_engine import FakeTask

SENT = {
    "category": "4A",
    "probability": 30,
    "confidence": "medium",
    "findings": {"shape": "irregular", "margin": "wavy", "name": "DOE"},
}


def test_a_read_holds_the_task_s_own_words_alone():
    read = own_read_of(SENT, FakeTask())
    assert read == OwnRead("4A", 30, "medium", {"shape": "irregular"})
    assert read.calls_positive(FakeTask())
    assert not own_read_of({**SENT, "category": "3"}, FakeTask()).calls_positive(FakeTask())


def test_none_seen_is_a_finding_and_a_task_without_descriptors_asks_for_none():
    none = {**SENT, "findings": {}}
    assert own_read_of({**none, "none": True}, FakeTask()).findings == {}
    assert own_read_of(none, FakeTask(descriptors={})).findings == {}


def test_the_findings_of_the_first_read_stay():
    first = own_read_of(SENT, FakeTask())
    later = own_read_of({**SENT, "probability": 70, "findings": {}}, FakeTask(), first)
    assert (later.probability, later.findings) == (70, first.findings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"category": "6"}, "requires a BI-RADS category, found none"),
        ({"category": None}, "requires a BI-RADS category, found none"),
        ({"probability": None}, "requires a probability from 0 to 100, found none"),
        ({"probability": True}, "requires a probability from 0 to 100, found none"),
        ({"probability": 101}, "must be from 0 to 100, found 101"),
        ({"confidence": "sure"}, "requires a confidence, one of"),
        ({"findings": {}}, "requires what is seen, found nothing ticked.*'No lesion seen'"),
        ({"findings": "shape"}, "requires what is seen, found nothing ticked"),
    ],
)
def test_what_is_missing_is_said(change, said):
    with pytest.raises(ReadError, match=said):
        own_read_of({**SENT, **change}, FakeTask())
