"""Extended descriptions: every word is kept, nothing is cut, nothing is said twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jomed_app.data.wording.extended import (
    end_sentence,
    extend_description,
    shorten_sentences,
    split_sentences,
)
from jomed_app.data.wording.glossary import GLOSSARY

WORDS = st.one_of(
    st.sampled_from([*GLOSSARY, "mass.", "left", "breast,", "no", "5 mm;", "CTs", "(T2)"]),
    st.text(min_size=1, max_size=8),
)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)


@settings(max_examples=60)
@given(TEXTS, st.lists(TEXTS, max_size=3))
@example(text="", more=[])
@example(text="   ", more=["A mass."])
@example(text="CT", more=[])
@example(text="a\x1cb", more=["{} %s"])
def test_words_stay_in_order_and_at_most_double(text, more):
    result = extend_description(text, more)
    words, longer = text.split(), result.split()
    assert longer[: len(words)] == words
    assert len(longer) <= (20 if len(words) <= 2 else 2 * len(words))
    assert result == extend_description(text, more)


@given(
    st.lists(st.sampled_from(["Mass.", "CT scan", "left", "a polyp", "edema"]), max_size=12),
    st.lists(st.sampled_from(["One two.", "Three four five", "Six.", "CT scan."]), max_size=6),
)
def test_what_is_added_is_whole_sentences_in_order(parts, more):
    text = " ".join(parts)
    added = extend_description(text, more)[len(text) :].strip(" ()")
    glosses = [f"{name} means {GLOSSARY[name.lower()]}." for name in ("Mass", "Polyp", "Edema")]
    glosses.append(f"CT means {GLOSSARY['CT']}.")
    found = [s for s in re.split(r"(?<=\.) ", added) if s]
    known = [s for s in found if s not in glosses]
    assert found == known + [s for s in found if s in glosses]
    left = iter([end_sentence(sentence) for sentence in more])
    assert all(sentence in left for sentence in known)  # a subsequence
    assert len(set(found)) == len(found)


def test_terms_are_explained_in_their_order():
    text = (
        "In the left breast there is one oval mass of 9 mm, with spiculated margin, hypoechoic, "
        "and nothing else."
    )
    assert extend_description(text) == (
        f"{text} Mass means a lump that takes up space. "
        "Spiculated means with fine lines running outward from it."
    )


def test_known_sentences_come_before_glosses():
    text = "A hypoechoic mass lies at nine o'clock."
    more = ["It measures 9 mm", "It is soft."]
    assert extend_description(text, more) == f"{text} It measures 9 mm. It is soft."


def test_a_sentence_that_does_not_fit_is_passed_over():
    text = "A polyp of the colon."
    more = ["It was found during a planned examination of the patient.", "It bleeds."]
    assert extend_description(text, more) == f"{text} It bleeds."


@pytest.mark.parametrize("sentence", ["IT BLEEDS", "it bleeds.", "", " . "])
def test_what_is_said_is_not_said_again(sentence):
    text = "There is a growth and it bleeds. Nothing else."
    assert extend_description(text, [sentence]) == text


def test_the_same_sentence_is_added_once():
    text = "There is a growth near the valve of the bowel."
    assert extend_description(text, ["It bleeds.", "It bleeds!"]) == f"{text} It bleeds."


def test_one_or_two_words_may_grow_to_twenty():
    assert extend_description("CT.") == "CT. CT means cross-sectional X-ray imaging."
    nineteen = " ".join(["word"] * 19)
    assert extend_description("Chest.", [nineteen]) == f"Chest. {nineteen}."
    assert extend_description("Chest.", [f"{nineteen} more"]) == "Chest."


def test_a_text_without_an_end_mark_keeps_its_last_word():
    assert extend_description("chest CT") == ("chest CT (CT means cross-sectional X-ray imaging.)")


def test_the_longer_term_hides_the_shorter():
    text = "There is a small pleural effusion on the left side, which is new."
    assert extend_description(text) == (
        f"{text} Pleural effusion means fluid between lung and chest wall."
    )


def test_capitals_are_found_in_capitals_only():
    text = "The ct of a cat, an X-RAY, polyps: all are words of some length."
    assert extend_description(text) == (
        f"{text} X-ray means an image of the shadows that tissue casts."
    )
    assert "Polyp means" in extend_description("Two polyps of the bowel, both small and smooth.")


def test_without_terms_the_text_comes_back():
    text = "Nothing to  explain here "
    assert extend_description(text) == text
    assert extend_description("") == ""
    assert extend_description("", ["A cyst."]) == "A cyst."


@pytest.mark.parametrize(("term", "gloss"), GLOSSARY.items())
def test_a_gloss_has_three_to_nine_words(term, gloss):
    assert 3 <= len(gloss.split()) <= 9
    assert term.casefold() not in gloss.casefold().split()
    assert not gloss.endswith(".")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One is here. Two is there", ["One is here.", "Two is there."]),
        ("It is 3.5 cm, e.g. Small vs. Large.", ["It is 3.5 cm, e.g. Small vs. Large."]),
        ("• First\n2. Second\n- Third", ["First.", "Second.", "Third."]),
        ("This goes\non here.\n\nNew", ["This goes on here.", "New."]),
        ("One • Two", ["One.", "Two."]),
        ("Why? Because!", ["Why?", "Because!"]),
        (" \n . \n", []),
        ("It ends with approx.", ["It ends with approx."]),
    ],
)
def test_sentences_are_found(text, sentences):
    assert split_sentences(text) == sentences


@pytest.mark.parametrize(
    ("sentences", "limit", "text"),
    [
        (["One two.", "Three four."], 4, "One two. Three four."),
        (["One two.", "Three four."], 3, "One two."),
        (["One.", "Two three, four five."], 3, "One. Two three..."),
        (["One two three four."], 2, "One two..."),
        ([], 5, ""),
    ],
)
def test_a_cut_falls_at_a_sentence_or_a_word(sentences, limit, text):
    assert shorten_sentences(sentences, limit) == text
