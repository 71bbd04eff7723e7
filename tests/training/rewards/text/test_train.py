"""Tuning on own text: rewards rise in every family, by both algorithms; it resumes bit for bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from jomed_app.config.text_rewards import TextRewardsConfig
from jomed_app.errors import ConfigError
from jomed_app.models.reader.vlm.lora import attach_adapter
from jomed_app.training.rewards.text import train
from jomed_app.training.rewards.text.critic import Critic
from jomed_app.training.rewards.text.reward_answers import AnswerJudge
from jomed_app.training.rewards.text.train import tune_on_text
from jomed_app.training.rewards.text.vlm_policy import VlmTextPolicy
from jomed_app.training.run.loop import trainable_state
from tests.tiny_vlms import FAMILIES

CONFIG = TextRewardsConfig(
    algorithm="group",
    warm_steps=0,
    steps=9,
    batch_size=1,
    rollouts=8,
    temperature=0.7,
    max_tokens=40,
    lr=3e-3,
    kl_weight=0.0,
    relevance_weight=0.0,
    vision_weight=0.0,
)
SAMPLES = 16


def mean_rewards(policy, case, seed=5):
    """Mean reward, by name, of answers drawn as the policy draws them."""
    judge = AnswerJudge(policy, {**CONFIG.weights, "vision": 0.0}, 0.1)
    prompt = policy.prompt(case.image())
    answers = policy.sample(prompt, SAMPLES, torch.Generator().manual_seed(seed))
    earned = judge.rewards(prompt, answers, case.truth).earned
    return {name: float(each.mean()) for name, each in earned.items()}


@pytest.fixture
def policy_of(task):
    """A reader with a fresh adapter, as the policy."""

    def made(reader, config=CONFIG):
        tuned = attach_adapter(reader)
        return VlmTextPolicy(tuned, task, config.temperature, config.max_tokens)

    return made


@pytest.mark.parametrize("name", FAMILIES)
def test_a_reward_rises_in_every_family(warm_reader, policy_of, case, tmp_path, name):
    """The IoU of the boxes that it writes; the relevance of what it names where it writes none.

    The reader was taught in 60 supervised steps to say the right answer or the wrong one; rewards
    alone teach which of them is right.
    """
    policy = policy_of(warm_reader(name))
    rises = "localization" if policy.writes_boxes else "relevance"
    before = mean_rewards(policy, case)[rises]
    config = CONFIG
    if rises == "relevance":
        config = CONFIG.replaced(relevance_weight=1.0, vision_weight=0.25)
    history = tune_on_text(policy, [case], config, tmp_path)
    after = mean_rewards(policy, case)[rises]
    assert before < 0.85
    assert after > before + 0.1
    assert after > 0.8
    assert ("vision" in history[-1]) == (config.vision_weight > 0)
    assert ("unreadable" in history[-1]) == (rises == "localization")


def test_ppo_rises_too_and_its_critic_learns_what_answers_earn(
    warm_reader, policy_of, case, tmp_path
):
    policy = policy_of(warm_reader("paligemma"))
    before = mean_rewards(policy, case)["localization"]
    config = CONFIG.replaced(algorithm="ppo", steps=9, updates=2, kl_weight=0.02)
    history = tune_on_text(policy, [case], config, tmp_path)
    assert mean_rewards(policy, case)["localization"] > before + 0.1
    assert history[-1]["value_loss"] < history[0]["value_loss"]
    assert history[1]["kl"] > 0, "the reference stays where tuning started"
    assert history[0]["kl"] == pytest.approx(0.0, abs=1e-6)


def adapter_of(policy):
    state = trainable_state({"reader": policy.model})
    return {name: value.detach().clone() for name, value in state.items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("algorithm", ["group", "ppo"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(
    load_reader, policy_of, case, tmp_path, monkeypatch, algorithm
):
    monkeypatch.setattr(train, "CHECKPOINT_BATCHES", 2)
    config = CONFIG.replaced(
        algorithm=algorithm, warm_steps=2, steps=3, updates=2, max_tokens=4, kl_weight=0.1
    )
    whole = policy_of(load_reader("llava15"), config)
    start = adapter_of(whole)
    tune_on_text(whole, [case], config, tmp_path / "whole")

    def stop(done, total, **figures):
        if "kl" in figures and done == 5:
            raise StoppedError

    broken = policy_of(load_reader("llava15"), config)
    with pytest.raises(StoppedError):
        tune_on_text(broken, [case], config, tmp_path / "broken", on_progress=stop)
    again = policy_of(load_reader("llava15"), config)
    assert same(adapter_of(again), start)
    history = tune_on_text(again, [case], config, tmp_path / "broken", resume=True)
    assert len(history) == 2
    assert same(adapter_of(again), adapter_of(whole))
    assert not same(adapter_of(again), start)


def test_supervised_steps_come_first_and_teach_the_answer(load_reader, policy_of, case, tmp_path):
    config = CONFIG.replaced(warm_steps=12, warm_lr=3e-2, max_tokens=8)
    policy = policy_of(load_reader("llava15"), config)
    history = train.learn_answers(policy, [case], config, tmp_path)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    prompt = policy.prompt(case.image())
    (best,) = policy.answers(prompt, 1, lambda log_prob: log_prob.argmax(-1))
    assert policy.text(best).strip() == "malignant"


def test_a_box_that_was_never_drawn_teaches_the_label_alone(load_reader, policy_of, case):
    policy = policy_of(load_reader("qwen3_vl"))
    prompt = policy.prompt(case.image())
    known = policy.true_answer(prompt, case)
    unknown = policy.true_answer(prompt, replace(case, boxes=None))
    assert policy.text(unknown) == "malignant"
    assert known[: len(unknown)] == unknown
    assert (known[-1], unknown[-1] == known[-1]) == (policy.reader.writer.end_id, False)


@pytest.mark.parametrize("precision", ["bf16", "nf4"])
def test_an_adapter_of_few_bits_is_tuned(load_reader, policy_of, case, tmp_path, precision):
    config = CONFIG.replaced(
        warm_steps=1, steps=2, max_tokens=4, relevance_weight=1.0, entropy_weight=0.1
    )
    policy = policy_of(load_reader("qwen2_5_vl", precision), config)
    frozen = {n: v.clone() for n, v in policy.model.state_dict().items() if "lora" not in n}
    before = adapter_of(policy)
    history = tune_on_text(policy, [case], config, tmp_path)
    assert all(step["grad_norm"] > 0 for step in history)
    assert not same(adapter_of(policy), before)
    after = policy.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in frozen.items())


def test_cases_come_in_turn_and_once_each():
    drawn = [train._drawn(0, number, 3) for number in range(6)]
    assert sorted(drawn[:3]) == sorted(drawn[3:]) == [0, 1, 2]
    assert drawn == [train._drawn(0, number, 3) for number in range(6)]


def test_an_untrained_critic_predicts_nothing():
    assert torch.equal(Critic(8)(torch.randn(2, 3, 8)), torch.zeros(2, 3))


def test_what_cannot_be_tuned_is_one_sentence(load_reader, policy_of, case, tmp_path):
    policy = policy_of(load_reader("llava15"))
    with pytest.raises(ConfigError, match="'group' requires 2 rollouts or more, found 1"):
        tune_on_text(policy, [case], CONFIG.replaced(rollouts=1), tmp_path)
    with pytest.raises(ConfigError, match="one case or more, found none"):
        tune_on_text(policy, [], CONFIG, tmp_path)
