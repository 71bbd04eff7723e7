"""Group-relative tuning by TRL, with the rewards of this room; an extra that is not installed.

Source: GRPO, arXiv:2402.03300, as TRL's `GRPOTrainer` has it. Ours: the adapter is in the model
already, so that rewards see the weights as they are, attention included; prompts must be the ids
that the reader reads, and a family whose processor writes others is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from jomed_app.config.text_rewards import TextRewardsConfig
from jomed_app.errors import ConfigError
from jomed_app.models.reader.vlm.processor import whole_processor
from jomed_app.progress import OnProgress
from jomed_app.training.rewards.text.case import RewardedCase
from jomed_app.training.rewards.text.policy import TextPolicy
from jomed_app.training.rewards.text.reward_answers import AnswerJudge
from jomed_app.training.rewards.text.vlm_policy import VlmTextPolicy

REFERENCE = "ref"  # as TRL calls the copy that its KL holds on to


def tune_by_trl(
    policy: TextPolicy,
    cases: Sequence[RewardedCase],
    worth: AnswerJudge,
    config: TextRewardsConfig,
    out: Path,
    *,
    on_progress: OnProgress,
) -> list[dict[str, float]]:
    """Tune a reader's adapter in place; see `train.tune_on_text`.

    Ours: it keeps no checkpoint, since TRL's are pickled.

    Returns:
        The log as TRL keeps it, one dictionary a step.

    Raises:
        ConfigError: if TRL is not installed, or its prompts would not be the reader's.
    """
    try:
        from datasets import Dataset
        from transformers import TrainerCallback
        from trl import GRPOConfig, GRPOTrainer
    except ImportError as error:
        raise ConfigError(
            "train_rewards.algorithm = 'trl' requires the package trl, which is not installed; "
            "install the extra [rl], or take 'group', the same objective in this app"
        ) from error
    if not isinstance(policy, VlmTextPolicy):
        raise ConfigError(
            "train_rewards.algorithm = 'trl' requires a reader of transformers, found the "
            "embedded one; take 'group'"
        )
    tuned = policy.tuned
    processor: Any = whole_processor(policy.reader)
    prompts = _Prompts(policy, cases)
    numbers = Dataset.from_dict({"case": list(range(len(cases)))}).with_transform(prompts)
    _require_same_prompt(policy, processor, prompts)

    def reward(completion_ids: list[list[int]], case: list[int], **more: Any) -> list[float]:
        tuned.rest()
        found: list[float] = []
        for start in range(0, len(case), config.rollouts):
            mine = cases[case[start]]
            prompt = policy.prompt(mine.image())
            answers = completion_ids[start : start + config.rollouts]
            earned = worth.rewards(prompt, answers, mine.truth)
            found += earned.total.tolist()
            for name, each in earned.earned.items():
                more["log_metric"](name, float(each.mean()))
        tuned.learn()
        return found

    class Reporter(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            on_progress(state.global_step, config.steps)

    trainer = GRPOTrainer(
        model=tuned.adapted,
        processing_class=processor,
        reward_funcs=[reward],
        train_dataset=numbers,
        callbacks=[Reporter()],
        args=GRPOConfig(
            output_dir=str(out),
            max_steps=config.steps,
            num_iterations=config.updates,
            per_device_train_batch_size=config.rollouts,
            gradient_accumulation_steps=config.batch_size,
            num_generations=config.rollouts,
            max_completion_length=config.max_tokens,
            temperature=config.temperature,
            learning_rate=config.lr,
            beta=config.kl_weight,
            epsilon=config.clip,
            scale_rewards="group" if config.scale_advantages else "none",
            generation_kwargs={"suppress_tokens": policy.barred},
            seed=config.seed,
            use_cpu=policy.reader.inputs.device.type == "cpu",
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_steps=1,
        ),
    )
    trainer.train()
    if REFERENCE in tuned.adapted.peft_config:  # or it would be written with the adapter
        tuned.adapted.delete_adapter(REFERENCE)
    tuned.rest()
    return [
        {name: float(each) for name, each in step.items() if isinstance(each, int | float)}
        for step in trainer.state.log_history
    ]


class _Prompts:
    """Cases as TRL takes them; images are read when they are asked for."""

    def __init__(self, policy: VlmTextPolicy, cases: Sequence[RewardedCase]) -> None:
        self.policy = policy
        self.cases = cases

    def __call__(self, rows: dict[str, list[int]]) -> dict[str, list[Any]]:
        """The columns of some cases, which are told by their numbers."""
        numbers = rows["case"]
        text = "\n" + self.policy.reader.writer.plain(self.policy.question)
        shrunk = self.policy.reader.encoder.shrunk
        return {
            "prompt": [[{"role": "user", "content": text}] for _ in numbers],
            "images": [[shrunk(Image.fromarray(self.cases[each].image()))] for each in numbers],
            "case": numbers,
        }


def _require_same_prompt(policy: VlmTextPolicy, processor: Any, prompts: _Prompts) -> None:
    first = prompts({"case": [0]})
    content = [
        {"type": "image", "image": first["images"][0][0]},
        {"type": "text", "text": first["prompt"][0][0]["content"]},
    ]
    ids: list[int] = []
    with suppress(TypeError, ValueError):  # of families whose processor lacks what it needs
        found = processor.apply_chat_template(
            [[{"role": "user", "content": content}]],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )["input_ids"][0]
        ids = found.tolist() if isinstance(found, Tensor) else list(found)
    if ids != policy.prompt(prompts.cases[0].image()).ids:
        raise ConfigError(
            "train_rewards.algorithm = 'trl' requires a model whose processor writes prompts as "
            f"they are read here, that of '{policy.reader.name}' writes others; take 'group'"
        )
