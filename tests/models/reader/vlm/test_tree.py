"""Every family's rows against the plain loop: one row, one answer, raw pixels, no cache."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from tests.models.reader.vlm.conftest import QUESTION
from tests.models.reader.vlm.plain_loop import plain_log_probs, plain_logits

ANSWERS = ["benign", "malignant", "invasive ductal carcinoma"]
KNOWN = [
    ("benign", "Oval, parallel."),
    ("malignant", "Irregular margin, posterior shadow."),
    ("normal", ""),
]


@pytest.fixture
def seen(tiny_vlm, family, pictures):
    """Reader, and a reading of the query beside three candidates and beside none."""
    reader = tiny_vlm(family)
    query, *others = reader.encode(pictures)
    candidates = [reader.candidate(each, *known) for each, known in zip(others, KNOWN, strict=True)]
    rows = [reader.writer.beside(query, QUESTION, each) for each in [*candidates, None]]
    return reader, reader.read(query, QUESTION, candidates), rows


def shown_beside(pictures, place):
    """The images of a row, as the plain loop takes them."""
    chosen = [pictures[0], *([pictures[place + 1]] if place < len(KNOWN) else [])]
    return [Image.fromarray(each) for each in chosen]


@pytest.mark.parametrize("complete", [False, True])
def test_scores_equal_the_plain_loop(seen, pictures, complete):
    reader, reading, rows = seen
    scores = reader.score(reading, ANSWERS, complete=complete)
    if reader.family.twin:  # alone, the plain loop would cut an image into tiles; ours never does
        rows, scores = rows[:-1], scores[:-1]
    plain = torch.tensor(
        [
            [
                plain_log_probs(
                    reader,
                    row,
                    shown_beside(pictures, place),
                    reader.writer.answer(text, complete=complete),
                ).sum()
                for text in ANSWERS
            ]
            for place, row in enumerate(rows)
        ]
    )
    torch.testing.assert_close(scores, plain, atol=1e-4, rtol=0)
    assert plain.std() > 1, "alike answers would hide mistakes"


def test_generated_words_are_the_likeliest(seen, pictures):
    reader, reading, rows = seen
    before = reader.score(reading, ANSWERS)
    said = reader.tree.generate(reading.branches, 4, reader.writer.end_id)
    for place, row in enumerate(rows[:2]):
        known: list[int] = []
        while len(known) < 4:
            logits = plain_logits(reader, row, shown_beside(pictures, place), known)
            token = int(logits[-1].argmax())
            if token == reader.writer.end_id:
                break
            known.append(token)
        assert said[place] == known
    assert torch.equal(reader.score(reading, ANSWERS), before), "what was read stays as it was"


def test_what_rows_share_is_read_once(tiny_vlm, pictures):
    reader = tiny_vlm("qwen2_5_vl")
    query, *others = reader.encode(pictures)
    shown = [reader.candidate(each, *known) for each, known in zip(others, KNOWN, strict=True)]
    rows = [reader.writer.beside(query, QUESTION, each) for each in shown]
    counts = []
    hook = reader.model.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: counts.append(kwargs["inputs_embeds"].shape[:2].numel()),
        with_kwargs=True,
    )
    reader.score(reader.read(query, QUESTION, shown, with_plain=False), ANSWERS)
    hook.remove()
    answers = sum(len(reader.writer.answer(text)) for text in ANSWERS)
    plain = len(ANSWERS) * sum(len(row.ids) for row in rows) + len(rows) * answers
    assert sum(counts) < plain / 2.5
    alike = reader.tree._shared(rows)
    assert alike > len(query.features)
    assert {tuple(row.ids[:alike]) for row in rows} == {tuple(rows[0].ids[:alike])}


def test_candidates_and_their_order_matter(seen):
    reader, reading, _ = seen
    scores = reader.score(reading, ANSWERS)
    assert torch.cdist(scores, scores).add(torch.eye(4) * 9).min() > 1e-3
