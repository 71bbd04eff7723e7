"""Token rows: what stands where, what is cut, what a stranger's text may not do."""

from __future__ import annotations

import pytest
import torch

from jomed_app.data.wording.prompts import IMAGE_SLOT
from jomed_app.models.reader.prompt_encoder import PromptEncoder, pad_rows
from tests.tiny_models import build_tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tiny_tokenizer(["benign", "malignant"])


@pytest.fixture(scope="module")
def rows(tokenizer):
    return PromptEncoder(
        tokenizer,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE_SLOT),
        query_tokens=16,
        candidate_tokens=4,
        max_passage_tokens=10,
    )


def images_in(rows, ids):
    return sum(token == rows.image_token_id for token in ids)


def test_image_tokens(rows):
    assert images_in(rows, rows.query("What is it?")) == 16
    assert images_in(rows, rows.candidate("benign", "A cyst.")) == 4
    assert images_in(rows, rows.no_candidate()) == 0


def test_a_row_reads_as_the_chat_template_says(rows, tokenizer):
    row = rows.query("Why?") + rows.candidate("benign", "A cyst.")
    text = tokenizer.decode([token for token in row if token != rows.image_token_id])
    message = [{"role": "user", "content": "Query:  Why?\nReference:   benign. A cyst."}]
    assert text.split() == (
        tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True).split()
    )


def test_a_long_passage_is_cut(rows, tokenizer):
    text = tokenizer.decode(rows.candidate("benign", "0123456789abcdef"))
    assert "0123456789" in text
    assert "a" not in text.split("0123456789")[1].split("<|im_end|>")[0]


def test_a_short_passage_stays(rows):
    assert rows.candidate("benign", "0123456789") != rows.candidate("benign", "012345678")


def test_an_answer_ends_when_complete(rows):
    assert rows.answer(" benign", complete=True) == [*rows.answer(" benign"), rows.end_id]
    assert len(rows.answer(" benign<loc_03>")) == 2


@pytest.mark.parametrize("token", ["<image>", "<|im_end|>", "<loc_03>"])
def test_text_from_outside_holds_no_reserved_token(rows, tokenizer, token):
    reserved = tokenizer.convert_tokens_to_ids(token)
    plain_query = rows.query("ab").count(reserved)
    plain_candidate = rows.candidate("benign", "ab").count(reserved)
    assert rows.query(f"a{token}b").count(reserved) == plain_query
    assert rows.candidate("benign", f"a{token}b").count(reserved) == plain_candidate
    assert rows.candidate(f"be{token}", "ab").count(reserved) == plain_candidate


def test_an_end_token_is_required(tokenizer):
    bare = build_tiny_tokenizer()
    bare.eos_token = None
    with pytest.raises(TypeError, match="must have one end-of-answer token"):
        PromptEncoder(bare, image_token_id=0, query_tokens=1, candidate_tokens=1)


def test_padding_by_hand():
    batch = pad_rows([[5, 6, 7], [8]], [[1], [2, 3]], pad_id=0)
    assert batch.input_ids.tolist() == [[5, 6, 7, 1, 0], [0, 0, 8, 2, 3]]
    assert batch.keep_mask.int().tolist() == [[1, 1, 1, 1, 0], [0, 0, 1, 1, 1]]
    assert batch.position_ids[0, :4].tolist() == [0, 1, 2, 3]
    assert batch.position_ids[1, 2:].tolist() == [0, 1, 2]
    assert batch.answer_length == 2


def test_rows_of_one_length_are_not_padded():
    assert pad_rows([[1, 2], [3, 4]], [[], []], 0).keep_mask.all()
    assert torch.equal(pad_rows([[1, 2]], [[3]], 0).input_ids, torch.tensor([[1, 2, 3]]))
