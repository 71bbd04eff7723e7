"""The command line: parse, call, show. Anything heavy is imported inside the command that needs it.

Exit codes: 0 done, 2 bad input (one line on stderr), 1 our fault (one line with an incident id).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jomed_app.cli.artifacts import (
    DEFAULT_BUNDLE,
    DEFAULT_INDEX,
    BundleOption,
    IndexOption,
    OutFolder,
    PrecisionOption,
    ServedBundle,
    ServedIndex,
    TaskOption,
    bundle_app,
    listed,
)
from jomed_app.cli.collection import index_app
from jomed_app.cli.data import data_app
from jomed_app.cli.feedback import feedback_app
from jomed_app.cli.reading.diagnose import diagnose_app
from jomed_app.cli.reading.replay import replay_app
from jomed_app.errors import ConfigError, JomedError, record_incident, start_log
from jomed_app.storage.durable import require_writable, storage_fault

if TYPE_CHECKING:
    from jomed_app.progress import OnProgress

STOPPED = 130  # what typer returns after Ctrl-C: 128 + SIGINT

app = typer.Typer(
    help="Similar cases, a prediction per case, one diagnosis. Research demo, no medical device.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(diagnose_app)
app.add_typer(replay_app)
app.add_typer(index_app, name="index")
app.add_typer(bundle_app, name="bundle")
app.add_typer(data_app, name="data")
app.add_typer(feedback_app, name="feedback")


class Stage(StrEnum):
    """Training stages in order; `all` leaves out `questions`, and rewards that are not shipped."""

    ALIGN = "align"
    READER = "reader"
    REWARDS = "rewards"
    RETRIEVER = "retriever"
    QUESTIONS = "questions"
    ALL = "all"


@app.command()
def evaluate(
    task: TaskOption,
    data: Annotated[Path, typer.Option(help="folder of the cases to answer")],
    split: Annotated[str, typer.Option(help="train, val or test")],
    out: Annotated[Path, typer.Option(help="report file to write, JSON")],
    bundle: BundleOption = DEFAULT_BUNDLE,
    index: IndexOption = DEFAULT_INDEX,
    systems: Annotated[str | None, typer.Option(help="a,b,c; all when left out")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="first N cases only")] = None,
    precision: PrecisionOption = "auto",
    mask_text: Annotated[
        bool, typer.Option("--mask-text", help="paint text and callipers over first")
    ] = False,
    index_sizes: Annotated[
        str | None, typer.Option(help="known cases, such as 10,50,200: a learning curve")
    ] = None,
) -> None:
    """Score systems side by side on a labelled split."""
    require_writable(out.parent)
    from jomed_app.cli.tables import show_report
    from jomed_app.evaluation.evaluate import evaluate_task
    from jomed_app.progress import show_progress

    with show_progress(f"evaluate {task} {split}", out.with_suffix(".log")) as on_progress:
        report = evaluate_task(
            task, data, split, bundle, index, listed(systems), limit, out, on_progress, precision,
            masks=mask_text, index_sizes=_sizes(index_sizes),
        )  # fmt: skip
    show_report(report)


def _sizes(text: str | None) -> tuple[int, ...]:
    """Sizes of an index as they are given on the command line."""
    names = listed(text) or ()
    if wrong := [name for name in names if not name.strip().isdecimal()]:
        raise ConfigError(f"--index-sizes must be whole numbers such as 10,50, found {wrong}")
    return tuple(int(name) for name in names)


@app.command()
def train(
    stage: Annotated[Stage, typer.Argument(help="what to train")],
    config: Annotated[Path, typer.Option(help="such as jomed_app/config/embedded.toml")],
    out: OutFolder,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="from the last checkpoint")] = False,
) -> None:
    """Train one stage, or in order all that the bundle is made of."""
    from jomed_app.cli.tables import show_costs
    from jomed_app.config.load import JomedConfig, load_recipe
    from jomed_app.training.run.costs import read_costs

    settings = load_recipe(config, overrides or ())
    require_writable(out)
    embedded = settings if isinstance(settings, JomedConfig) else None
    if stage is Stage.RETRIEVER and embedded and not embedded.train_reader.data:
        raise ConfigError(
            "the stage retriever requires real cases, whose answers it learns from, found none; "
            "add --set train_reader.data=DIR"
        )
    from jomed_app.cli.stages import READ_AFTER, stages_of
    from jomed_app.evaluation.folds.cross_validate import cross_validate
    from jomed_app.training.export import write_config

    write_config(out, settings)
    chosen = stages_of(stage.value, settings)
    for name, run_stage in chosen.items():
        with _counted(out, name, f"train {name}", adds_up=resume) as on_progress:
            run_stage(settings, out, resume=resume, on_progress=on_progress)
    if embedded and READ_AFTER & chosen.keys() and embedded.train_reader.data:
        with _counted(out, "folds", "read the folds") as on_progress:
            cross_validate(embedded, out, thorough=False, on_progress=on_progress)
    show_costs(read_costs(out))


@app.command()
def measure(run: Annotated[Path, typer.Argument(help="folder that train wrote to")]) -> None:
    """Read a trained run's held-out cases in every way and write all its reports."""
    from jomed_app.config.load import read_stored_config

    if not (run / "config.json").is_file():
        raise ConfigError("measure requires the folder of a run, found no config.json; train first")
    settings = read_stored_config(run / "config.json")
    if not settings.train_reader.data:
        raise ConfigError("measure requires a run with real cases; set train_reader.data and train")
    from jomed_app.evaluation.folds.cross_validate import cross_validate

    with _counted(run, "measure", "measure") as on_progress:
        cross_validate(settings, run, on_progress=on_progress)


@contextlib.contextmanager
def _counted(run: Path, stage: str, title: str, *, adds_up: bool = True) -> Iterator[OnProgress]:
    """Show and log the progress of a stage and keep its costs; what is kept on disk adds up."""
    from jomed_app.progress import show_progress
    from jomed_app.training.run.costs import record_costs

    with (
        show_progress(title, run / f"{stage}.log") as shown,
        record_costs(run, stage, shown, adds_up=adds_up) as on_progress,
    ):
        yield on_progress


@app.command()
def costs(run: Annotated[Path, typer.Argument(help="folder that train wrote to")]) -> None:
    """Print what a training run has cost, stage by stage."""
    from jomed_app.cli.tables import show_costs
    from jomed_app.training.run.costs import read_costs

    show_costs(read_costs(run))


@app.command()
def serve(
    bundle: ServedBundle = DEFAULT_BUNDLE,
    index: ServedIndex = DEFAULT_INDEX,
    config: Annotated[Path | None, typer.Option(help="TOML file whose [app] is read")] = None,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="TCP port")] = None,
    precision: PrecisionOption = "auto",
) -> None:
    """Start the web app, by default at http://127.0.0.1:7860."""
    from jomed_app.cli.serving import app_settings, serve_app

    serve_app(bundle, index, app_settings(config, host, port), precision)


@app.command()
def simulate(
    count: Annotated[int, typer.Option(min=1, help="cases")],
    out: OutFolder,
    seed: Annotated[int, typer.Option(min=0, help="first seed")] = 0,
    size_px: Annotated[int, typer.Option("--size", min=64, help="longer image side, px")] = 480,
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 2,
) -> None:
    """Simulate breast ultrasound cases; goes on where an earlier run stopped."""
    require_writable(out)
    from jomed_app.progress import show_progress
    from jomed_app.simulator import write_cases

    with show_progress("simulate", out / "simulate.log") as on_case:
        write_cases(count, out, seed=seed, size_px=size_px, workers=workers, on_case=on_case)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 bad input, 1 our fault.

    Args:
        arguments: the words after the program's name; None takes them from the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    start_log()
    try:
        code = app(words or ["--help"], prog_name="python -m jomed_app", standalone_mode=False)
    except typer.TyperException as error:
        return _complain(f"{error.format_message()} (--help lists what is possible)", code=2)
    except JomedError as error:
        return _complain(str(error), code=2)
    except Exception as error:
        if fault := storage_fault(error):
            return _complain(
                f"every file and folder that is named must be free to use, found: {fault}; "
                "make room, change permissions or name others",
                code=2,
            )
        incident = record_incident(error)
        return _complain(f"something went wrong on our side; incident {incident}", code=1)
    if code == STOPPED:
        return _complain("stopped; finished steps are kept", code=STOPPED)
    return code if isinstance(code, int) else 0


def _complain(message: str, *, code: int) -> int:
    """Print one line to stderr and return the code."""
    typer.echo(" ".join(message.split()), err=True)
    return code
