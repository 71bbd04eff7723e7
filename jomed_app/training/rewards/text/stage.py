"""The stage `rewards` of a reader that a file names: it is tuned on the text that it writes."""

from __future__ import annotations

from pathlib import Path

from jomed_app.config.backbones import BackbonesConfig, ServedBackbonesConfig
from jomed_app.progress import OnProgress
from jomed_app.training.cases.labeled import load_teaching
from jomed_app.training.rewards.text.recorded import rewarded_case
from jomed_app.training.rewards.text.train import tune_on_text
from jomed_app.training.rewards.text.vlm_policy import VlmTextPolicy
from jomed_app.training.run.loop import no_progress
from jomed_app.training.run.named_run import NamedRun

STAGE = "rewards"


def named_rewards_stage(
    config: BackbonesConfig | ServedBackbonesConfig,
    out: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress = no_progress,
) -> list[dict[str, float]]:
    """Tune the reader's adapter with rewards; writes `rewards/adapter` and `tuned.toml`.

    Returns:
        The log of the steps run now.

    Raises:
        ConfigError: if a server reads, no cases are named, a model does not fit, or as
            `tune_on_text`.
        MemoryShortError: if the weights or a query's answers do not fit.
    """
    run = NamedRun(out, config)
    settings = run.reader_config.train_rewards
    folder, records = load_teaching(run)
    tuned = run.tunable_reader(STAGE)
    history = tune_on_text(
        VlmTextPolicy(tuned, run.task, settings.temperature, settings.max_tokens),
        [rewarded_case(run.task, folder, record) for record in records],
        settings,
        run.folder(STAGE),
        resume=resume,
        on_progress=on_progress,
    )
    if history or not run.adapter(STAGE).is_dir():
        run.keep_adapter(STAGE, tuned)
    return history
