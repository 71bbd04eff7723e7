"""Reading answers back: what was said returns, and every fault has its reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jomed_app.boxes import Box
from jomed_app.data.tasks import load_task, task_from_dict
from jomed_app.data.wording.answers import Reading, answer_text
from jomed_app.data.wording.diagnostic_response import diagnostic_response
from jomed_app.data.wording.response_parsing import (
    FailureReason,
    ParsedResponse,
    ParseFailure,
    parse_rate,
    parse_response,
)

BINS = 64
BREAST = load_task("breast")
FINDINGS = {name: values[0] for name, values in BREAST.descriptors.items()}
# Labels that begin with one another, of several words, without descriptors.
CHEST = task_from_dict(
    {
        "name": "chest",
        "title": "T",
        "question": "?",
        "labels": ["no finding", "no", "mass", "mass of the lung", "grade 1.5"],
        "positive_label": "mass",
        "empty_labels": ["no finding", "no"],
        "finding": "abnormal region",
    }
)
BOX = Box(0.1, 0.2, 0.5, 0.7)
BOX_TEXT = "<loc_06><loc_12><loc_32><loc_44>"


@st.composite
def unit_boxes(draw):
    x0, y0 = draw(st.floats(0, 0.99)), draw(st.floats(0, 0.99))
    return Box(
        x0, y0, draw(st.floats(x0, 1, exclude_min=True)), draw(st.floats(y0, 1, exclude_min=True))
    )


@st.composite
def cases(draw):
    task = draw(st.sampled_from([BREAST, CHEST]))
    label = draw(st.sampled_from(task.labels))
    boxes = draw(st.lists(unit_boxes(), min_size=1, max_size=4))
    descriptors = {
        name: draw(st.sampled_from(values))
        for name, values in task.descriptors.items()
        if draw(st.booleans())
    }
    return task, label, boxes, descriptors


def assert_same_place(found: Box, true: Box, num_bins: int) -> None:
    for low, high in ((0, 2), (1, 3)):
        edges = [box.as_tuple()[place] for box in (found, true) for place in (low, high)]
        is_one_bin = edges[1] - edges[0] < 0.9 / num_bins
        slack = (2 / 3 if is_one_bin else 1 / 2) / num_bins + 1e-9
        assert edges[0] == pytest.approx(edges[2], abs=slack)
        assert edges[1] == pytest.approx(edges[3], abs=slack)


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(4, 128))
def test_what_was_said_comes_back(case, num_bins):
    task, label, boxes, descriptors = case
    found = parse_response(
        diagnostic_response(task, label, boxes, descriptors, num_bins), task, num_bins
    )
    assert isinstance(found, ParsedResponse)
    assert found.label == label
    if label in task.empty_labels:
        assert (found.boxes, found.descriptors) == ((), {})
        return
    assert found.descriptors == descriptors
    assert len(found.boxes) == len(boxes)
    for said, true in zip(found.boxes, sorted(boxes, key=lambda box: -box.area), strict=True):
        assert_same_place(said, true, num_bins)


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(4, 128))
def test_a_short_answer_comes_back(case, num_bins):
    task, label, (box, *_), _ = case
    values = {name: options[-1] for name, options in task.descriptors.items()}
    text, complete = answer_text(task, Reading(label, box, values), num_bins)
    found = parse_response(text, task, num_bins)
    assert complete
    assert isinstance(found, ParsedResponse)
    assert found.label == label
    if label in task.empty_labels:
        assert found.boxes == ()
    else:
        assert found.descriptors == values
        (said,) = found.boxes
        assert_same_place(said, box, num_bins)


PIECES = st.sampled_from(
    ["Detect:", "Locate:", "Recognize:", "Conclude:", "1 lesion", "no lesion", ".", "; ", ", ",
     "nowhere", "nothing", "<loc_00>", "<loc_63>", "<loc_64>", "<loc_٣>", "benign", "normal",
     "shape oval", "not described", "\n", "\x00"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map(" ".join)))
def test_model_output_never_raises(text):
    found = parse_response(text, BREAST, BINS)
    assert isinstance(found, ParsedResponse | ParseFailure)
    if isinstance(found, ParsedResponse):
        assert (found.label == "normal") == (not found.boxes)


@settings(max_examples=100, deadline=None)
@given(cases(), st.data())
def test_a_changed_response_is_another_or_none(case, data):
    """Dropping a piece of a response never leaves what it said."""
    task, label, boxes, descriptors = case
    text = diagnostic_response(task, label, boxes, descriptors, BINS)
    place = data.draw(st.integers(0, len(text) - 1))
    whole, cut = parse_response(text, task, BINS), text[:place] + text[place + 1 :]
    assert parse_response(cut, task, BINS) != whole


STEPWISE = f"Detect: 1 lesion. Locate: {BOX_TEXT}. Recognize: shape oval. Conclude: benign."
SHORT = f" benign{BOX_TEXT} {' '.join(FINDINGS.values())}"


def test_white_space_around_is_no_fault():
    assert parse_response(f"\n {STEPWISE} \n", BREAST, BINS) == (
        parse_response(STEPWISE, BREAST, BINS)
    )
    assert isinstance(parse_response(SHORT, BREAST, BINS), ParsedResponse)


@pytest.mark.parametrize(
    ("old", "new", "reason", "said"),
    [
        (" Locate: ", " ", FailureReason.MISSING_STEP, "'Locate:' is required"),
        (" Conclude: benign.", "", FailureReason.MISSING_STEP, "'Conclude:' is required"),
        ("lesion. Locate", "lesion, Locate", FailureReason.MALFORMED, "ended by a full stop"),
        ("Detect:", "I see. Detect:", FailureReason.MALFORMED, "steps must be Detect:"),
        ("1 lesion", "one lesion", FailureReason.MALFORMED, "'no lesion' or how many"),
        ("1 lesion", "1 lesions", FailureReason.MALFORMED, "found '1 lesions'"),
        ("1 lesion", "0 lesions", FailureReason.MALFORMED, "found '0 lesions'"),
        ("<loc_06>", "left", FailureReason.MALFORMED, "location tokens only"),
        ("<loc_06>", "<loc_٣>", FailureReason.MALFORMED, "location tokens only"),
        ("<loc_06>", "<loc_64>", FailureReason.UNKNOWN_TOKEN, "64 location tokens, found"),
        ("<loc_06>", "<loc_6>", FailureReason.UNKNOWN_TOKEN, "found '<loc_6>'"),
        ("<loc_06>", "", FailureReason.TOKEN_COUNT, "4 location tokens, found 3"),
        ("<loc_06>", "<loc_06><loc_07>", FailureReason.TOKEN_COUNT, "found 5"),
        ("<loc_06>", "<loc_33>", FailureReason.INVERTED_BOX, "must be x0 y0 x1 y1"),
        ("<loc_12>", "<loc_45>", FailureReason.INVERTED_BOX, "found <loc_06><loc_45>"),
        ("benign", "cyst", FailureReason.UNKNOWN_CLASS, "found 'cyst.'"),
        ("benign", "benignant", FailureReason.UNKNOWN_CLASS, "found 'benignant.'"),
        ("benign", "Benign", FailureReason.UNKNOWN_CLASS, "must be one of"),
        ("benign.", "benign", FailureReason.MALFORMED, "class must be ended by a full stop"),
        ("benign.", "benign. Or not.", FailureReason.TRAILING_TEXT, "' Or not.'|Or not"),
        ("shape oval", "oval", FailureReason.UNKNOWN_DESCRIPTOR, "found 'oval'"),
        ("shape oval", "margin angular, shape oval", FailureReason.MALFORMED, "in the order"),
        ("shape oval", "shape oval, shape round", FailureReason.MALFORMED, "in the order"),
        ("1 lesion", "2 lesions", FailureReason.CONTRADICTION, "2 detected, but 1 boxes"),
        ("1 lesion", "no lesion", FailureReason.CONTRADICTION, "0 detected, but 1 boxes"),
        ("benign", "normal", FailureReason.CONTRADICTION, "'normal' with 1 boxes"),
        (BOX_TEXT, "nowhere", FailureReason.CONTRADICTION, "1 detected, but 0 boxes"),
    ],
)
def test_every_fault_of_a_stepwise_response_has_its_reason(old, new, reason, said):
    assert old in STEPWISE
    found = parse_response(STEPWISE.replace(old, new), BREAST, BINS)
    assert isinstance(found, ParseFailure)
    assert found.reason is reason
    assert any(each in found.detail for each in said.split("|"))


def test_an_empty_response_must_be_empty_in_every_step():
    empty = diagnostic_response(BREAST, "normal", [], None, BINS)
    found = parse_response(empty.replace("nothing", "shape oval"), BREAST, BINS)
    assert found == ParseFailure(
        FailureReason.CONTRADICTION, "nothing to recognize, but found 'shape oval'"
    )
    found = parse_response(empty.replace("normal", "benign"), BREAST, BINS)
    assert found == ParseFailure(FailureReason.CONTRADICTION, "'benign' with 0 boxes")


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("", FailureReason.UNKNOWN_CLASS, "found ''"),
        ("a cyst", FailureReason.UNKNOWN_CLASS, "found 'a cyst'"),
        ("benignant", FailureReason.UNKNOWN_CLASS, "found 'benignant'"),
        ("benign", FailureReason.MISSING_STEP, "requires a box"),
        ("benign oval", FailureReason.MISSING_STEP, "requires a box"),
        ("benign<loc_01><loc_02>", FailureReason.TOKEN_COUNT, "found 2"),
        ("benign" + "<loc_01>" * 5, FailureReason.TOKEN_COUNT, "found 5"),
        ("benign<loc_9><loc_02><loc_03><loc_04>", FailureReason.UNKNOWN_TOKEN, "'<loc_9>'"),
        ("benign<loc_09><loc_02><loc_03><loc_04>", FailureReason.INVERTED_BOX, "x0 y0 x1 y1"),
        (f"benign{BOX_TEXT}", FailureReason.MISSING_STEP, "'shape' is required"),
        (f"benign{BOX_TEXT} oval parallel", FailureReason.MISSING_STEP, "'margin' is required"),
        (f"benign{BOX_TEXT} parallel oval", FailureReason.UNKNOWN_DESCRIPTOR, "in this order"),
        (f"{SHORT} absent", FailureReason.TRAILING_TEXT, "nothing may follow"),
        ("normal tissue", FailureReason.TRAILING_TEXT, "stands alone"),
        (f"normal{BOX_TEXT}", FailureReason.CONTRADICTION, "'normal' with a box"),
    ],
)
def test_every_fault_of_a_short_answer_has_its_reason(text, reason, said):
    found = parse_response(text, BREAST, BINS)
    assert isinstance(found, ParseFailure)
    assert found.reason is reason
    assert said in found.detail


def test_the_longest_label_that_fits_is_read():
    assert parse_response("no finding", CHEST, BINS).label == "no finding"
    assert parse_response(f"mass of the lung{BOX_TEXT}", CHEST, BINS).label == "mass of the lung"
    assert parse_response(f"mass{BOX_TEXT}", CHEST, BINS).label == "mass"


def test_boxes_by_hand():
    (box,) = parse_response(STEPWISE, BREAST, BINS).boxes
    assert box.as_tuple() == pytest.approx((6.5 / 64, 12.5 / 64, 32.5 / 64, 44.5 / 64))


def test_parse_rate_by_hand():
    texts = [STEPWISE, SHORT, "normal", "no idea"]
    assert parse_rate([parse_response(text, BREAST, BINS) for text in texts]) == 0.75
    with pytest.raises(ValueError, match="requires one answer or more, found none"):
        parse_rate([])
