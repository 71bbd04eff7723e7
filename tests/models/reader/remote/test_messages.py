from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from jomed_app.models.reader.protocol import CandidateInput
from jomed_app.models.reader.remote.messages import plain, row_messages, sent_image


def pixels_of(sent):
    head, data = sent.url.split(",", 1)
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_an_image_is_sent_without_loss(image):
    assert np.array_equal(pixels_of(sent_image(image, 448)), image)


def test_a_longer_image_is_shrunk_and_keeps_its_shape():
    long = np.zeros((100, 300, 3), np.uint8)
    assert pixels_of(sent_image(long, 60)).shape == (20, 60, 3)


def test_a_row_reads_query_question_candidate(image):
    query, other = sent_image(image, 448), sent_image(255 - image, 448)
    (turn,) = row_messages(query, "What?", CandidateInput(other, "benign", "A cyst."), 512)
    assert turn["role"] == "user"
    assert [part["type"] for part in turn["content"]] == [
        "text",
        "image_url",
        "text",
        "image_url",
        "text",
    ]
    texts = [part["text"] for part in turn["content"] if part["type"] == "text"]
    assert texts == ["Query: ", " What?\nReference: ", " benign. A cyst."]
    assert [part["image_url"]["url"] for part in turn["content"][1::2]] == [query.url, other.url]


def test_a_row_without_a_candidate_says_so(image):
    (turn,) = row_messages(sent_image(image, 448), "What?", None, 512)
    assert turn["content"][-1]["text"] == " What?\nReference: none."


def test_a_long_passage_is_cut(image):
    sent = sent_image(image, 448)
    (turn,) = row_messages(sent, "What?", CandidateInput(sent, "benign", "abcdef"), 3)
    assert turn["content"][-1]["text"] == " benign. abc"


def test_tokens_of_templates_are_taken_out_and_other_words_stay():
    hostile = "a <image> b <|im_end|> c [INST] d <end_of_turn> e </s> f [IMG_END] g"
    assert plain(hostile).split() == list("abcdefg")
    words = "size < 5 mm and > 2 mm [BI-RADS 3]"
    assert plain(words) == words


def test_a_slot_of_ours_in_a_question_is_taken_out(image):
    (turn,) = row_messages(sent_image(image, 448), "What <image>?", None, 512)
    assert [part["type"] for part in turn["content"]].count("image_url") == 1
