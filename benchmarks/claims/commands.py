"""The command that measures a kept report again.

RUN is the folder of a trained run, DIR a prepared public set; neither is part of the repository.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

PROGRAM = "python -m"
EXPERIMENTS = f"{PROGRAM} benchmarks.experiments"
# Name of a kept report -> command; the first that fits counts.
COMMANDS = {
    "*.report.gap": f"{EXPERIMENTS}.rerankers.run RUN",
    "*.fold_seeds": f"{EXPERIMENTS}.fold_assignments.run RUN",
    "*.report*": f"{PROGRAM} jomed_app measure RUN",
    "vqa.*": f"{PROGRAM} jomed_app train questions --config FILE --out RUN",
    "*.costs": f"{PROGRAM} jomed_app costs RUN",
    "align": f"{EXPERIMENTS}.align.run --data DIR --run RUN",
    "answer": f"{PROGRAM} benchmarks.speed.answer --out docs/results",
    "joint": f"{EXPERIMENTS}.retriever_options.run RUN",
    "localise": f"{EXPERIMENTS}.localise.run RUN --data DIR",
    "number_types": f"{EXPERIMENTS}.number_types.run --data DIR",
    "readers": f"{PROGRAM} benchmarks.readers.run --out docs/results",
    "reading": f"{EXPERIMENTS}.reading_ways.run RUN",
    "recipes": f"{EXPERIMENTS}.recipes.run RUN OTHER --data DIR",
    "resolution": f"{EXPERIMENTS}.resolution.run RUN --data DIR",
    "rewards": f"{EXPERIMENTS}.reward_options.run RUN --data DIR",
    "simulator": f"{EXPERIMENTS}.simulator.compare REAL_SET",
    "stores": f"{PROGRAM} benchmarks.stores.run --sizes 10000 100000 --out docs/results",
    "towers": f"{EXPERIMENTS}.towers.run --data DIR",
}


def command_of(report: str) -> str:
    """Return the command that measures a report.

    Args:
        report: its name.

    Raises:
        KeyError: if none is listed.
    """
    for pattern, command in COMMANDS.items():
        if fnmatchcase(report, pattern):
            return command
    raise KeyError(f"COMMANDS must say what measures '{report}' again, found nothing; add it")
