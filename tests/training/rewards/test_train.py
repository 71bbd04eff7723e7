"""Tuning with rewards: it learns what rewards ask for, resumes bit for bit, keeps the reference."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from jomed_app.config.localizer import RewardTuningConfig
from jomed_app.errors import ConfigError
from jomed_app.objectives.umed.rewards import REWARDS, Reward
from jomed_app.training.rewards.reward_responses import class_set, reward_rollouts
from jomed_app.training.rewards.rollout import PolicyOutput, QueryBatch, Rollouts, greedy_rollout
from jomed_app.training.rewards.train import (
    _group_advantages,
    greedy_localization,
    tune_with_rewards,
)
from tests.training.rewards.small_policy import CLASSES, SmallPolicy, drawn_queries, source_of

QUERIES = drawn_queries(64, 0)
CONFIG = RewardTuningConfig(
    algorithm="group",
    steps=40,
    updates=2,
    batch_size=32,
    rollouts=8,
    lr=0.2,
    kl_weight=0.0,
    critic_lr_factor=1.0,
    relevance="match",
)


def variant(**more) -> RewardTuningConfig:
    return CONFIG.replaced(**more)


def tune(policy, config, out, **more):
    return tune_with_rewards(policy, source_of(QUERIES), CLASSES, config, out, **more)


def accuracy(policy) -> float:
    with torch.no_grad():
        found = greedy_rollout(policy(QUERIES.inputs), CLASSES.empty)
    return (found.classes[:, 0] == QUERIES.labels).float().mean().item()


# --- rewards of rollouts


def two_responses(**more) -> tuple[Rollouts, PolicyOutput, QueryBatch]:
    """A right and an empty response to a finding; the same two to an image without one."""
    bins = torch.tensor([[[0, 0, 1, 1], [0, 0, 0, 0]]]).expand(2, -1, -1)
    keep = torch.tensor([[[True] * 5, [True] + [False] * 4]]).expand(2, -1, -1)
    rollouts = Rollouts(torch.tensor([[1, 0], [2, 0]]), bins, keep)
    output = PolicyOutput(torch.zeros(2, 4, 4), torch.zeros(2, 3), torch.zeros(2), **more)
    boxes = torch.tensor([[0.125, 0.125, 0.375, 0.375], [torch.nan] * 4])
    return rollouts, output, QueryBatch(torch.zeros(2, 1), torch.tensor([1, 0]), boxes)


def test_rewards_of_rollouts_by_hand():
    found = reward_rollouts(*two_responses(), CLASSES, CONFIG)
    assert found.earned["relevance"].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert found.earned["localization"].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert "vision" not in found.earned
    assert found.total.tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_attention_to_the_finding_is_rewarded_where_a_finding_is_named():
    attention = torch.zeros(2, 16)
    attention[0, 0] = 1.0  # a patch that the box covers to a quarter; it is a 16th of the image
    attention[1] = 1.0
    found = reward_rollouts(*two_responses(attention=attention), CLASSES, CONFIG)
    assert found.earned["vision"].tolist() == [[0.25 - 1 / 16, 0.0], [0.0, 0.0]]
    assert found.total.tolist() == [[3.0, 0.0], [0.0, 2.0]]
    elsewhere = reward_rollouts(*two_responses(attention=attention.flip(-1)), CLASSES, CONFIG)
    assert elsewhere.earned["vision"].tolist()[0] == [-1 / 16, 0.0]


def test_relevance_as_a_proper_score_takes_off_what_was_sure_anyway():
    rollouts, output, batch = two_responses()
    output.class_logits[0, 1] = 4.0  # tempered: told with e^2 of e^2 + 2
    found = reward_rollouts(rollouts, output, batch, CLASSES, variant(relevance="proper"))
    sure = float(np.exp(4.0 * CONFIG.temperature))
    told = [sure / (sure + 2), 1 / (sure + 2)]
    torch.testing.assert_close(found.earned["relevance"][0], torch.tensor([1 - told[0], -told[1]]))
    torch.testing.assert_close(found.earned["relevance"][1], torch.tensor([-1 / 3, 2 / 3]))


def test_a_reward_is_a_line_in_the_table(monkeypatch):
    one_box = Reward(lambda told: (~told.boxes.isnan().any(-1)).float(), is_relative=False)
    monkeypatch.setitem(REWARDS, "boxes", one_box)
    weights = dict.fromkeys(REWARDS, 0.0) | {"relevance": 2.0, "localization": 2.0, "boxes": 2.0}
    monkeypatch.setattr(RewardTuningConfig, "weights", weights)
    found = reward_rollouts(*two_responses(), CLASSES, CONFIG)
    assert found.earned["boxes"].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert found.total.tolist() == [[6.0, 0.0], [2.0, 4.0]]


def test_weights_and_unknown_classes():
    rollouts, output, batch = two_responses()
    config = variant(relevance_weight=0.5, localization_weight=3.0)
    unknown = QueryBatch(batch.inputs, torch.tensor([-1, 0]), batch.boxes)
    found = reward_rollouts(rollouts, output, unknown, CLASSES, config)
    assert found.total.tolist() == [[3.0, 0.0], [0.0, 3.5]]


def test_a_judge_may_call_classes_alike():
    def any_finding(told, reference):
        return float((told == "none") == (reference == "none"))

    classes = class_set(("none", "benign", "malignant"), ("none",), any_finding)
    assert classes.agreement.tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert class_set(("b", "a"), ("a",)).empty == (1,)
    with pytest.raises(ConfigError, match=re.escape("must be among ['a'], found {'x'}")):
        class_set(("a",), ("x",))


# --- advantages


def test_a_location_token_is_credited_with_its_box_alone():
    """Two responses name a finding, one of them the right class, the other the better box."""
    bins = torch.tensor([[[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 0, 0]]])
    keep = torch.tensor([[[True] * 5, [True] * 5, [True] + [False] * 4]])
    rollouts = Rollouts(torch.tensor([[2, 1, 0]]), bins, keep)
    output = PolicyOutput(torch.zeros(1, 4, 4), torch.zeros(1, 3), torch.zeros(1))
    truth = torch.tensor([[0.125, 0.125, 0.375, 0.375]])
    batch = QueryBatch(torch.zeros(1, 1), torch.tensor([1]), truth)
    rewards = reward_rollouts(rollouts, output, batch, CLASSES, CONFIG)
    assert rewards.earned["localization"].tolist() == [[1.0, 0.25, 0.0]]
    found = _group_advantages(rewards, rollouts, variant(credit="token"))
    assert found.shape == (1, 3, 5)
    torch.testing.assert_close(found[0, :, 1:], torch.tensor([[1.0], [-1.0], [0.0]]).expand(3, 4))
    whole = _group_advantages(rewards, rollouts, variant(credit="response"))
    torch.testing.assert_close(found[..., 0], whole)
    assert whole[0, 1] > whole[0, 0], "the right class outweighs the better box"


# --- learning


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("algorithm", ["ppo", "group"])
@pytest.mark.parametrize("credit", ["response", "token"])
def test_rewards_teach_class_and_place(credit, algorithm, seed, tmp_path):
    policy = SmallPolicy()
    before = greedy_localization(policy, QUERIES, CLASSES), accuracy(policy)
    history = tune(policy, variant(algorithm=algorithm, credit=credit, seed=seed), tmp_path)
    after = greedy_localization(policy, QUERIES, CLASSES), accuracy(policy)
    assert before[0] < 0.5
    assert after[0] > before[0] + 0.25
    assert after[1] > 0.95
    rewards = [each["reward"] for each in history]
    assert np.mean(rewards[-20:]) > np.mean(rewards[:20]) + 0.5
    assert history[0]["entropy"] > history[-1]["entropy"]


def test_the_value_network_learns_the_return(tmp_path):
    history = tune(SmallPolicy(), variant(algorithm="ppo"), tmp_path)
    errors = [each["value_loss"] for each in history]
    assert np.mean(errors[-20:]) < 0.25 * np.mean(errors[:5])
    assert "value_loss" not in tune(SmallPolicy(), variant(steps=1), tmp_path / "group")[0]


def test_a_batch_begins_at_ratio_1(tmp_path):
    history = tune(SmallPolicy(), variant(steps=4, updates=3, lr=0.5), tmp_path)
    clipped = [each["clip_fraction"] for each in history]
    assert len(history) == 12
    assert clipped[::3] == [0.0] * 4
    assert max(clipped) > 0
    rewards = [each["reward"] for each in history]
    assert rewards[0] == rewards[1] == rewards[2] != rewards[3]


def test_the_reference_is_held_on_to(tmp_path):
    free = tune(SmallPolicy(), variant(steps=40), tmp_path / "free")
    held = tune(SmallPolicy(), variant(steps=40, kl_weight=1.0), tmp_path / "held")
    assert free[0]["kl"] == 0
    assert all(each["kl"] >= 0 for each in free + held)
    assert held[-1]["kl"] < 0.5 * free[-1]["kl"]


def test_entropy_is_rewarded(tmp_path):
    plain = tune(SmallPolicy(), variant(steps=40), tmp_path / "plain")
    broad = tune(SmallPolicy(), variant(steps=40, entropy_weight=0.5), tmp_path / "broad")
    assert broad[-1]["entropy"] > plain[-1]["entropy"]


def test_attention_is_told_in_the_log(tmp_path):
    history = tune(SmallPolicy(shows_attention=True), variant(steps=1), tmp_path)
    assert history[0]["vision"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("algorithm", ["ppo", "group"])
def test_a_resumed_run_equals_an_unbroken_one(algorithm, tmp_path, monkeypatch):
    monkeypatch.setattr("jomed_app.training.rewards.train.CHECKPOINT_BATCHES", 2)
    config = variant(algorithm=algorithm, steps=5, kl_weight=0.1)
    whole, broken, later = SmallPolicy(), SmallPolicy(), SmallPolicy()
    expected = tune(whole, config, tmp_path / "whole")

    def stop(done, total, **figures):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(broken, config, tmp_path / "broken", on_progress=stop)
    assert tune(later, config, tmp_path / "broken", resume=True) == expected[4:]
    for name, value in whole.state_dict().items():
        assert torch.equal(later.state_dict()[name], value), name


def test_only_the_critic_learns_at_its_own_rate(tmp_path):
    policy = SmallPolicy()
    tune(policy, variant(algorithm="ppo", steps=2, critic_lr_factor=0.0), tmp_path)
    assert not policy.critic.weight.any()
    assert policy.head.weight.any()


def test_dropout_stays_off_and_requires_grad_stays_on(tmp_path):
    policy = SmallPolicy().train()
    tune(policy, variant(steps=1), tmp_path)
    assert not policy.training
    assert all(each.requires_grad for each in policy.parameters())


def test_one_rollout_serves_ppo_and_is_refused_by_group(tmp_path):
    history = tune(SmallPolicy(), variant(algorithm="ppo", rollouts=1, steps=3), tmp_path)
    assert all(np.isfinite(list(each.values())).all() for each in history)
    with pytest.raises(ConfigError, match="'group' requires 2 rollouts or more, found 1"):
        tune(SmallPolicy(), variant(rollouts=1), tmp_path)


def test_parameters_outside_children_are_refused(tmp_path):
    policy = SmallPolicy()
    policy.scale = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match=re.escape("child modules, found ['scale']")):
        tune(policy, CONFIG, tmp_path)
