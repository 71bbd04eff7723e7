"""The embedded readers of a run, tuned on the text that they write themselves."""

from __future__ import annotations

from jomed_app.data.corpus import assign_folds
from jomed_app.errors import ConfigError
from jomed_app.progress import OnProgress
from jomed_app.training.cases.labeled import choose_labeled, load_real
from jomed_app.training.rewards.text.case import RewardedCase
from jomed_app.training.rewards.text.packed_policy import PackedTextPolicy
from jomed_app.training.rewards.text.recorded import rewarded_case
from jomed_app.training.rewards.text.train import tune_on_text
from jomed_app.training.run.checkpoint import CHECKPOINT_FILE, save_trainable
from jomed_app.training.run.loop import no_progress, trainable_state
from jomed_app.training.run.workspace import Workspace


def tune_readers(
    work: Workspace, *, resume: bool = False, on_progress: OnProgress = no_progress
) -> None:
    """Tune each of a run's readers; writes `text_rewards/<name>`, a checkpoint like its own.

    Ours: it is tuned without a candidate, which is how it says what the image alone shows. What
    came of a reader that this one takes the place of is removed, so that it is read again.

    Raises:
        ConfigError: if the stage `reader` has not been run.
    """
    settings = work.config.train_text_rewards
    folds = work.trained_folds
    names = [work.fold_name(fold) for fold in folds] or ["simulated"]
    for name in names:
        if not (work.reader(name) / CHECKPOINT_FILE).is_file():
            raise ConfigError(
                f"the stage 'rewards' requires the reader '{name}'; run: train reader first"
            )
    for place, name in enumerate(names):
        cases = _training_cases(work, folds[place]) if folds else _simulated_cases(work)
        reader, _ = work.trainable_reader(work.reader(name))
        folder = work.tuned_reader(name)
        history = tune_on_text(
            PackedTextPolicy(reader, work.task, settings.temperature, settings.max_tokens),
            cases,
            settings,
            folder,
            resume=resume,
            on_progress=on_progress,
        )
        if history or not (folder / CHECKPOINT_FILE).is_file():
            save_trainable(trainable_state({"reader": reader.model}), folder)
            if work.chosen_reader(name) == folder:
                work.forget_answers(name)


def _training_cases(work: Workspace, held_out: int | None) -> list[RewardedCase]:
    """The real cases whose labels and boxes a fold may learn; None holds nothing out."""
    settings = work.config.train_reader
    folder, records = load_real(work)
    folds = assign_folds(records, settings.folds, settings.fold_seed)
    labeled = choose_labeled(records, work.config.data)
    return [
        rewarded_case(work.task, folder, record)
        for record, fold, known in zip(records, folds, labeled, strict=True)
        if known and (held_out is None or fold != held_out)
    ]


def _simulated_cases(work: Workspace) -> list[RewardedCase]:
    folder = work.corpus("reader")
    return [rewarded_case(work.task, folder, record) for record in work.simulated("reader")]
