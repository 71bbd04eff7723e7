"""GRPO by TRL: prompts must be the reader's; what is not here or not known is one sentence."""

from __future__ import annotations

import sys

import pytest

from jomed_app.errors import ConfigError
from jomed_app.models.reader.vlm.lora import attach_adapter
from jomed_app.models.reader.vlm.processor import whole_processor
from jomed_app.training.rewards.text.by_trl import _Prompts, _require_same_prompt
from jomed_app.training.rewards.text.train import tune_on_text
from jomed_app.training.rewards.text.vlm_policy import VlmTextPolicy
from tests.training.rewards.text.test_train import CONFIG, mean_rewards

QWENS = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_5")
BY_TRL = CONFIG.replaced(algorithm="trl", kl_weight=0.02)


@pytest.fixture
def policy_of(task):
    def made(reader):
        return VlmTextPolicy(attach_adapter(reader), task, BY_TRL.temperature, BY_TRL.max_tokens)

    return made


def require_same_prompt(policy, case):
    _require_same_prompt(policy, whole_processor(policy.reader), _Prompts(policy, [case]))


@pytest.mark.parametrize("name", QWENS)
def test_the_prompts_of_qwen_are_those_that_are_read(load_reader, policy_of, case, name):
    require_same_prompt(policy_of(load_reader(name)), case)


@pytest.mark.parametrize("name", ["llava15", "pixtral", "paligemma", "gemma3", "internvl"])
def test_a_family_whose_prompts_would_differ_is_refused(load_reader, policy_of, case, name):
    with pytest.raises(ConfigError, match=r"take 'group'|a processor of the family is required"):
        require_same_prompt(policy_of(load_reader(name)), case)


def test_without_trl_one_sentence_says_what_to_do(
    load_reader, policy_of, case, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "trl", None)
    monkeypatch.setitem(sys.modules, "datasets", None)
    policy = policy_of(load_reader("qwen2_5_vl"))
    with pytest.raises(ConfigError, match=r"requires the package trl.*the extra \[rl\]"):
        tune_on_text(policy, [case], BY_TRL, tmp_path)
    with pytest.raises(ConfigError, match="keeps no checkpoint to resume from"):
        tune_on_text(policy, [case], BY_TRL, tmp_path, resume=True)
    with pytest.raises(ConfigError, match="'trl' requires 2 rollouts or more, found 1"):
        tune_on_text(policy, [case], BY_TRL.replaced(rollouts=1), tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", QWENS)
def test_trl_raises_the_iou_too(warm_reader, policy_of, case, tmp_path, name):
    pytest.importorskip("trl")
    policy = policy_of(warm_reader(name))
    before = mean_rewards(policy, case)["localization"]
    steps = []
    history = tune_on_text(
        policy, [case], BY_TRL, tmp_path, on_progress=lambda done, total: steps.append(done)
    )
    assert steps == list(range(1, BY_TRL.steps + 1))
    assert mean_rewards(policy, case)["localization"] > before + 0.1
    assert {"reward", "localization", "kl"} <= history[0].keys()
    policy.tuned.save(tmp_path / "adapter")
    assert not [each for each in (tmp_path / "adapter").iterdir() if each.is_dir()]
