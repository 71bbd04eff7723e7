"""The captions of an example: they tell what the result holds, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jomed_app.types import ConsistencyState
from jomed_app.ui.panels.caption import Caption, answer_caption, image_caption, readings_caption
from jomed_app.ui.reading import Reading, reading_of
from tests.ui.hostile import assert_shown_as_text


@pytest.fixture
def reading(result) -> Reading:
    return reading_of(result)


def told(reading: Reading, readings: list[str], answer: str | None, **final) -> Reading:
    """The reading of a case with other readings and another answer."""
    candidates = tuple(
        each.model_copy(update={"prediction": said, "label": answer or said})
        for each, said in zip(reading.candidates, readings, strict=True)
    )
    changed = {"prediction": answer, "abstained": answer is None, **final}
    counts = {said: readings.count(said) for said in readings}
    update = {"state": ConsistencyState.CONSISTENT, "counts": counts}
    return replace(
        reading,
        candidates=candidates,
        final=reading.final.model_copy(update=changed),
        consistency=reading.consistency.model_copy(update=update),
    )


def words(caption: Caption | None) -> str:
    assert caption is not None
    return caption.words


def test_an_image_of_a_user_has_no_caption(reading):
    for made in (image_caption(""), readings_caption("", reading), answer_caption("", reading)):
        assert made is None


def test_the_misread_mass_is_told_as_it_is(reading):
    """Four readings are right, and the classifier overrules them with a wrong answer."""
    head = {"image_head": {"benign": 0.9, "malignant": 0.1}, "image_head_weight": 0.8}
    misread = told(reading, ["malignant"] * 4, "benign", **head)
    assert words(image_caption("malignant")) == (
        "An example: a program drew this image as malignant."
    )
    assert words(readings_caption("malignant", misread)) == (
        "Read beside each similar case: malignant 4 of 4, rightly."
    )
    assert words(answer_caption("malignant", misread)) == (
        "The image classifier, 80 % of the answer, overrules them with benign: wrong."
    )


def test_another_bundle_tells_another_story(reading):
    right = told(reading, ["malignant"] * 4, "malignant")
    assert words(answer_caption("malignant", right)) == "The answer, malignant, is right."
    wrong = told(reading, ["benign"] * 4, "benign")
    assert words(readings_caption("malignant", wrong)).endswith("benign 4 of 4, wrongly.")
    assert words(answer_caption("malignant", wrong)) == "The answer, benign, is wrong."
    # overruled, but not by the image classifier
    voted = told(reading, ["malignant"] * 4, "benign", image_head={}, image_head_weight=0.0)
    assert words(answer_caption("malignant", voted)) == "The answer, benign, is wrong."
    mixed = told(reading, ["malignant", "benign", "malignant", "malignant"], "malignant")
    assert words(readings_caption("malignant", mixed)).endswith("malignant 3 of 4, benign 1 of 4.")
    none = told(reading, ["malignant"] * 4, None)
    assert words(answer_caption("malignant", none)).startswith("No answer is given")


def test_nothing_is_told_before_it_is_known(reading):
    waiting = reading.candidates[0].model_copy(update={"prediction": None})
    partly = replace(reading, candidates=(waiting, *reading.candidates[1:]), final=None)
    assert readings_caption("benign", partly) is None
    assert answer_caption("benign", partly) is None
    assert readings_caption("benign", replace(reading, candidates=())) is None


def test_a_hostile_caption_is_shown_as_text():
    assert_shown_as_text(lambda words: Caption(1, words))
