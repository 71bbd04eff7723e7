"""The command line: parse, call, show. Anything heavy is imported inside the command that needs it.

Exit codes: 0 done, 2 bad input (one line on stderr), 1 our fault (one line with an incident id).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jomed_app.errors import ImageError, JomedError, RecordError
from jomed_app.incidents import record_incident, start_log

if TYPE_CHECKING:
    from jomed_app.data.records import CaseRecord
    from jomed_app.models.retriever import Retriever

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_BUNDLE = REPOSITORY / "assets" / "bundle"
DEFAULT_INDEX = REPOSITORY / "index" / "simulated"
STOPPED = 130  # what typer returns after Ctrl-C: 128 + SIGINT

app = typer.Typer(
    help="Similar cases, a prediction per case, one diagnosis. Research demo, no medical device.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
index_app = typer.Typer(help="Build, extend or describe an index.", rich_markup_mode=None)
bundle_app = typer.Typer(help="Write, check or describe a bundle.", rich_markup_mode=None)
app.add_typer(index_app, name="index")
app.add_typer(bundle_app, name="bundle")

BundleArgument = Annotated[Path, typer.Argument(help="bundle folder")]
BundleOption = Annotated[Path, typer.Option("--bundle", help="bundle folder")]
IndexOption = Annotated[Path, typer.Option("--index", help="index folder")]
CorpusOption = Annotated[Path | None, typer.Option("--corpus", help="case records, file or folder")]
TaskOption = Annotated[str, typer.Option("--task", help="task name or TOML file")]
OutFolder = Annotated[Path, typer.Option("--out", help="folder to write")]


class Stage(StrEnum):
    """Training stages in the order in which `all` runs them, without `questions`."""

    ALIGN = "align"
    READER = "reader"
    QUESTIONS = "questions"
    ALL = "all"


@app.command()
def diagnose(
    image: Annotated[Path, typer.Argument(help="DICOM, PNG, JPEG or TIFF file")],
    question: Annotated[str | None, typer.Option(help="asked instead of the task's own")] = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    index: IndexOption = DEFAULT_INDEX,
    k: Annotated[int | None, typer.Option("--k", min=1, help="candidates to read")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON only")] = False,
    out: Annotated[Path | None, typer.Option(help="folder for result.json")] = None,
) -> None:
    """Diagnose one image from its most similar cases."""
    if not image.is_file():
        raise ImageError("IMAGE must be an existing file, found none; check the path")
    from jomed_app.imaging import read_image

    with contextlib.redirect_stdout(sys.stderr):
        record = read_image(image)  # before the engine: a bad file is refused at once
        from jomed_app.inference.load import load_engine
        from jomed_app.types import Completed

        engine = load_engine(bundle, index)
        events = list(engine.run(record, question=question, k=k))
    completed = events[-1]
    assert isinstance(completed, Completed), "the engine's last event carries the result"
    result = completed.result
    text = result.model_dump_json(by_alias=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "result.json").write_text(text + "\n", encoding="utf-8")
    if as_json:
        typer.echo(text)
        return
    from jomed_app.terminal import show_result

    show_result(result)


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
) -> None:
    """Score systems side by side on a labelled split."""
    from jomed_app.evaluation.run import evaluate_task
    from jomed_app.progress import show_progress
    from jomed_app.terminal import show_report

    with show_progress(f"evaluate {task} {split}", out.with_suffix(".log")) as on_progress:
        report = evaluate_task(
            task, data, split, bundle, index, _listed(systems), limit, out, on_progress
        )
    show_report(report)


@app.command()
def train(
    stage: Annotated[Stage, typer.Argument(help="what to train")],
    config: Annotated[Path, typer.Option(help="such as jomed_app/configs/embedded.toml")],
    out: OutFolder,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="from the last checkpoint")] = False,
) -> None:
    """Train one stage, or all of them in order."""
    from jomed_app.config import load_config
    from jomed_app.progress import show_progress

    settings = load_config(config, overrides or ())
    from jomed_app.evaluation.folds import cross_validate
    from jomed_app.training.bundle import write_config
    from jomed_app.training.stages import align_stage, reader_stage

    write_config(out, settings)
    stages = {Stage.ALIGN: align_stage, Stage.READER: reader_stage}
    if stage is Stage.QUESTIONS:
        from jomed_app.evaluation.vqa_reading import tune_and_measure

        stages[stage] = tune_and_measure
    for name in stages if stage is Stage.ALL else (stage,):
        with show_progress(f"train {name}", out / f"{name}.log") as on_progress:
            stages[name](settings, out, resume=resume, on_progress=on_progress)
    if stage in (Stage.READER, Stage.ALL) and settings.train_reader.data:
        with show_progress("read the folds", out / "folds.log") as on_progress:
            cross_validate(settings, out, on_progress=on_progress)


@app.command()
def serve(
    bundle: BundleOption = DEFAULT_BUNDLE,
    index: IndexOption = DEFAULT_INDEX,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port")] = 7860,
) -> None:
    """Start the web app."""
    from jomed_app.inference.load import load_engine
    from jomed_app.ui.layout import serve as serve_engine

    serve_engine(load_engine(bundle, index), host, port)


@app.command()
def simulate(
    count: Annotated[int, typer.Option(min=1, help="cases")],
    out: OutFolder,
    seed: Annotated[int, typer.Option(min=0, help="first seed")] = 0,
    size_px: Annotated[int, typer.Option("--size", min=64, help="longer image side, px")] = 480,
    workers: Annotated[int, typer.Option(min=1, help="processes")] = 2,
) -> None:
    """Simulate breast ultrasound cases; goes on where an earlier run stopped."""
    from jomed_app.data.simulated_ultrasound import write_cases
    from jomed_app.progress import show_progress

    with show_progress("simulate", out / "simulate.log") as on_case:
        write_cases(count, out, seed=seed, size_px=size_px, workers=workers, on_case=on_case)


@index_app.command("build")
def index_build(
    out: OutFolder,
    corpus: CorpusOption = None,
    data: Annotated[Path | None, typer.Option(help="data folder of a public set")] = None,
    task: TaskOption = "breast",
    split: Annotated[str | None, typer.Option(help="splits to index, a,b; all if left out")] = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
) -> None:
    """Index a corpus with the bundle's frozen encoders."""
    chosen = corpus or data
    if chosen is None or (corpus and data):
        raise RecordError("index build requires either --corpus or --data; give one of the two")
    from jomed_app.progress import show_progress
    from jomed_app.retrieval.build import build_index

    folder, records, encoder = _corpus_and_encoder(chosen, task, split, bundle)
    with show_progress("index") as on_progress:
        build_index(records, folder, encoder, out, name=out.name, on_progress=on_progress)


@index_app.command("add")
def index_add(
    index: Annotated[Path, typer.Argument(help="index folder to extend")],
    corpus: Annotated[Path, typer.Option(help="case records to add, file or folder")],
    task: TaskOption = "breast",
    bundle: BundleOption = DEFAULT_BUNDLE,
    out: Annotated[Path | None, typer.Option(help="new folder; INDEX itself if left out")] = None,
) -> None:
    """Add cases to an index; only the new ones are encoded."""
    from jomed_app.progress import show_progress
    from jomed_app.retrieval.build import add_to_index

    folder, records, encoder = _corpus_and_encoder(corpus, task, None, bundle)
    with show_progress("index") as on_progress:
        add_to_index(index, records, folder, encoder, out=out, on_progress=on_progress)


@index_app.command("info")
def index_info(index: Annotated[Path, typer.Argument(help="index folder")] = DEFAULT_INDEX) -> None:
    """Print an index's manifest as JSON."""
    from jomed_app.retrieval.manifest import read_manifest

    typer.echo(read_manifest(index).model_dump_json(indent=2, exclude={"files"}))


@bundle_app.command("export")
def bundle_export(
    run: Annotated[Path, typer.Option(help="folder that train wrote to")],
    out: OutFolder,
) -> None:
    """Write a sealed bundle from finished training."""
    from jomed_app.progress import show_progress
    from jomed_app.training.bundle import make_bundle

    with show_progress("bundle") as on_progress:
        make_bundle(run, out, on_progress=on_progress)


@bundle_app.command("verify")
def bundle_verify(bundle: BundleArgument = DEFAULT_BUNDLE) -> None:
    """Check every byte of a bundle against its manifest."""
    from jomed_app.models.bundle import open_bundle

    opened = open_bundle(bundle, verify=True)
    typer.echo(f"{opened.manifest.name} {opened.manifest.version}: every file matches its hash")


@bundle_app.command("info")
def bundle_info(bundle: BundleArgument = DEFAULT_BUNDLE) -> None:
    """Print a bundle's manifest as JSON, without hashing its files."""
    from jomed_app.models.bundle import open_bundle

    manifest = open_bundle(bundle, verify=False).manifest
    typer.echo(manifest.model_dump_json(indent=2, exclude={"files"}))


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
        incident = record_incident(error)
        return _complain(f"something went wrong on our side; incident {incident}", code=1)
    if code == STOPPED:
        return _complain("stopped; finished steps are kept", code=STOPPED)
    return code if isinstance(code, int) else 0


def _complain(message: str, *, code: int) -> int:
    """Print one line to stderr and return the code."""
    typer.echo(" ".join(message.split()), err=True)
    return code


def _listed(text: str | None) -> list[str] | None:
    """Split "a,b,c"; None stays None."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _corpus_and_encoder(
    corpus: Path, task: str, split: str | None, bundle: Path
) -> tuple[Path, list[CaseRecord], Retriever]:
    """Read the cases to index and load the encoders that index them."""
    from jomed_app.data.corpus import load_corpus
    from jomed_app.data.tasks import load_task
    from jomed_app.models.bundle import open_bundle
    from jomed_app.models.retriever import load_retriever

    root = corpus.parent if corpus.is_file() else corpus
    folder, records = load_corpus(load_task(task), root, _listed(split) or ())
    return folder, records, load_retriever(open_bundle(bundle).path / "retriever")
