"""What answers earn, by hand: a right box, a wrong one, none, one that cannot be read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jomed_app.boxes import Box
from jomed_app.models.reader.vlm.lora import attach_adapter
from jomed_app.objectives.umed.rewards import Statement
from jomed_app.training.rewards.text.case import Truth
from jomed_app.training.rewards.text.reward_answers import AnswerJudge
from jomed_app.training.rewards.text.vlm_policy import VlmTextPolicy

WEIGHTS = {"relevance": 1.0, "localization": 1.0, "vision": 1.0}
TRUTH = Truth(Statement("malignant"), [Box(0.5, 0.5, 1.0, 1.0)])


@pytest.fixture(scope="module")
def judge_of(load_reader, task):
    def made(name, **weights):
        policy = VlmTextPolicy(attach_adapter(load_reader(name)), task, 1.0, 40)
        return AnswerJudge(policy, WEIGHTS | weights, 0.1)

    return made


def reward(judge, picture, texts, truth=TRUTH):
    row = judge.policy.prompt(picture)
    answer = judge.policy.reader.writer.answer
    return judge.rewards(row, [answer(text, complete=True) for text in texts], truth)


def test_relevance_and_boxes_of_five_answers(judge_of, picture):
    texts = [
        'malignant\n[{"bbox_2d": [500, 500, 1000, 1000]}]',  # the true box
        'malignant\n[{"bbox_2d": [500, 500, 750, 1000]}]',  # half of it
        "malignant\n[]",  # says that there is none
        "malignant\n[{",  # cannot be read
        'benign\n[{"bbox_2d": [0, 0, 500, 500]}]',  # wrong in both
    ]
    found = reward(judge_of("qwen3_vl", vision=0.0), picture, texts)
    assert found.earned["relevance"][0].tolist() == [1, 1, 1, 1, 0]
    torch.testing.assert_close(found.earned["localization"][0], torch.tensor([1, 0.5, 0, 0, 0]))
    assert found.unreadable.tolist() == [0, 0, 0, 1, 0]
    torch.testing.assert_close(found.total, torch.tensor([2, 1.5, 1, 1, 0]))
    assert "vision" not in found.earned


def test_no_finding_is_rewarded_where_it_is_said_and_not_where_nothing_can_be_read(
    judge_of, picture
):
    truth = Truth(Statement("normal"), [])
    texts = ["normal", "normal\n[{", 'normal\n[{"bbox_2d": [0, 0, 500, 500]}]']
    found = reward(judge_of("qwen3_vl"), picture, texts, truth)
    assert found.earned["localization"][0].tolist() == [1, 0, 0]
    assert "vision" not in found.earned, "there is no region to look at"


def test_a_box_that_was_never_drawn_rewards_none(judge_of, picture):
    found = reward(judge_of("qwen3_vl"), picture, ["benign"], Truth(Statement("benign"), None))
    assert set(found.earned) == {"relevance"}


def test_a_family_without_boxes_earns_relevance_and_vision(judge_of, picture):
    found = reward(judge_of("llava15"), picture, ["malignant", "cyst"])
    assert set(found.earned) == {"relevance", "vision"}
    assert found.earned["relevance"][0].tolist() == [1, 0]
    assert found.earned["vision"][0, 1] == 0, "nothing was named"
    assert len(found.unreadable) == 0


@pytest.mark.parametrize("name", ["qwen2_5_vl", "llava_onevision", "pixtral"])
def test_vision_is_the_attention_of_the_named_words_inside_the_box_less_chance(
    judge_of, picture, monkeypatch, name
):
    judge = judge_of(name)
    asked = []

    def look(row, ids, first):
        asked.append((ids, first))
        heat = np.zeros((4, 4))
        heat[2:, 2:] = 1.0
        heat[0, 0] = 4.0
        return heat

    monkeypatch.setattr(judge.policy.reader, "look", look)
    texts = ["It is malignant.", "It is malignant, oval", "benign", "cyst"]
    found = reward(judge, picture, texts)
    # Half of the attention lies in a quarter of the image.
    torch.testing.assert_close(found.earned["vision"][0], torch.tensor([0.25, 0.25, 0.25, 0.0]))
    assert len(asked) == 2, "answers that begin alike are looked at once"
    ids, first = asked[0]
    assert judge.policy.text(ids[first:]).strip(" .") == "malignant"


def test_vision_follows_the_model_and_stays_in_its_range(judge_of, picture):
    found = reward(judge_of("qwen2_5_vl"), picture, ["malignant", "benign"])
    vision = found.earned["vision"][0]
    assert (vision.abs() < 0.5).all()
    assert vision[0] != vision[1]
