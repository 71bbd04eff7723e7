"""Every command that is shown to a reader runs to its end; a benchmark's is parsed.

It is typed as it stands, see `tiny_world`; only options that make it small are added. Two parts
are replaced: the page, by one case read to its end (a test of `app.py` serves the page), and the
reading of all folds, which takes half a minute however small; the fixture `tiny_run` does it.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from jomed_app.cli import main as cli
from jomed_app.cli import startup
from jomed_app.cli.stages import STAGES
from jomed_app.imaging import read_image
from jomed_app.storage.bundle import open_bundle
from jomed_app.training.run.costs import read_costs
from tests.documented_commands import REPOSITORY, Command, in_text, made_commands, shown_commands
from tests.few_trials import few_trials
from tests.tiny_run import tiny_base_weights
from tests.tiny_world import TinyWorld

pytestmark = pytest.mark.usefixtures("log_elsewhere")

SHOWN = shown_commands()
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, flags=re.MULTILINE)
COMMANDS = [*SHOWN, *(each for target in TARGETS for each in made_commands(target))]

# What a command leaves out that is only named.
EMBEDDED = "--config jomed_app/config/embedded.toml --out checkpoints/embedded"
LEFT_OUT = {
    "train align": EMBEDDED,
    "train reader": EMBEDDED,
    "train rewards": EMBEDDED,
    "train retriever": f"{EMBEDDED} --set train_reader.data=DIR",  # it learns from folds
    "train all": EMBEDDED,
    "train questions": "--config jomed_app/config/vqa.toml --out checkpoints/vqa --set "
    "train_questions.data=DATA --set train_reader.start_from=checkpoints/embedded",
    "index build": "--corpus out/cases --out out/index",
    "bundle export": "--run checkpoints/embedded --out out/bundle",
}


def line_of(command: Command) -> str:
    """What a reader would type behind `python -m jomed_app`."""
    name = " ".join(command.words[1:3])
    if command.is_short and name in LEFT_OUT:
        return f"{name} {LEFT_OUT[name]}"
    return shlex.join(command.words[1:]).replace("'--{search}'", "--standard")


OURS = sorted({line_of(each) for each in COMMANDS if each.words[0] == "jomed_app"})
OTHERS = sorted({each.words for each in COMMANDS if each.words[0].startswith(("bench", "tools"))})


def test_commands_were_found_in_every_kind_of_place():
    places = {each.place for each in COMMANDS}
    assert {"README.md", "Makefile", "docs/tasks.md", "jomed_app/config/vqa.toml"} <= places
    assert "benchmarks/experiments/align/run.py" in places
    assert any(place.startswith("benchmarks/experiments/reward_options/opt") for place in places)
    groups = {line.split()[0] for line in OURS if line}
    assert groups >= {"diagnose", "evaluate", "train", "index", "bundle", "serve", "simulate"}


@pytest.fixture
def run(tmp_path, monkeypatch, request, capsys, stand_in):
    """Type a command in a world of its own; complain if it fails or does nothing."""
    monkeypatch.chdir(tmp_path)
    world = TinyWorld(tmp_path, request.getfixturevalue)

    def run_to_end(line: str) -> None:
        words = world.typed(shlex.split(line))
        if words[0] == "serve":
            world.makers["IMAGE"](tmp_path / "IMAGE")
            stand_in("jomed_app.server.run", serve=read_one_image, listen=no_address)
            stand_in("jomed_app.server.starting.run", load_while_serving=load_alone)
        monkeypatch.setenv("JOMED_MODELS", str(tmp_path))  # pinned models lie beside `mine.toml`
        if words[0] == "bundle" and words[1] in ("push", "pull"):
            stand_in("jomed_app.storage.hub", push_bundle=push, pull_bundle=pull)
            monkeypatch.setattr(startup, "_set_here", set())  # this process stays offline
        read = []
        stand_in(
            "jomed_app.evaluation.folds.cross_validate",
            cross_validate=lambda config, out, **more: read.append(config.train_reader.data),
        )
        with tiny_base_weights(), few_trials():
            code = cli.main(words)
        assert code == 0, capsys.readouterr().err
        assert bool(read) == (words[0] == "measure" or "train_reader.data=" in line)
        if "--out" in words:
            assert Path(words[words.index("--out") + 1]).exists()
        if words[0] == "train" and "--resume" not in words:
            stages = read_costs(Path(words[words.index("--out") + 1])).stages
            steps = [cost.steps for name, cost in stages.items() if name != "folds"]
            assert sum(steps) > 0, f"{words[:2]} trains nothing"

    return run_to_end


def no_address(host, port):
    """In place of a socket that listens."""
    return nullcontext()


def load_alone(load, *rest, **more):
    """In place of the page that tells how far the loading is."""
    return load(lambda *moment: None)


def push(bundle, repo, *, public):
    """In place of the Hub: the bundle is one."""
    return open_bundle(bundle).fingerprint


def pull(repo, out, revision, *, on_load):
    """In place of the Hub."""
    on_load("fetching", 1, 1)
    return revision


def read_one_image(engine, settings, *rest) -> None:
    """In place of the page: one case, to its end."""
    *_, last = engine.run(read_image(Path("IMAGE")))
    assert last.result.final is not None


@pytest.mark.parametrize("line", [line for line in OURS if line], ids=lambda line: line)
def test_a_shown_command_runs_to_its_end(run, line):
    run(line)


def test_a_command_that_trains_nothing_is_found(run, monkeypatch):
    monkeypatch.setitem(STAGES, "align", lambda config, out, **more: None)
    with pytest.raises(AssertionError, match="trains nothing"):
        run(f"train align {EMBEDDED}")


class Parsed(Exception):  # noqa: N818 - no error
    """Arguments were taken."""


def take(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a module's own parser, or its `main`, take the words; refuse if it does not."""
    module = importlib.import_module(words[0])
    given = ["3" if word in ("N", "SEEDS") else word for word in words[1:]]
    parse = argparse.ArgumentParser.parse_args

    def parse_alone(parser, *arguments):
        parse(parser, *arguments)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_alone)
    monkeypatch.setattr(sys, "argv", [words[0], *given])
    assert "__main__" in inspect.getsource(module)
    if not given:  # a page that says what made it
        assert callable(module.main)
    elif "ArgumentParser" in inspect.getsource(module):
        with pytest.raises(Parsed):
            module.main()
    else:
        inspect.signature(module.main).bind(*given)


@pytest.mark.parametrize("words", OTHERS, ids=" ".join)
def test_a_benchmarks_command_is_taken(words, monkeypatch):
    take(words, monkeypatch)


def test_every_make_target_exists():
    assert {each.words[1] for each in SHOWN if each.words[0] == "make"} <= set(TARGETS)


# The checks themselves must be able to fail.


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("train rewards --config jomed_app/config/embedded.toml", "Missing option '--out'"),
        ("index build --corpus out/cases --out out/index --hurry", "No such option"),
        ("diagnose IMAGE --k many", r"'many' is not a valid|Invalid value for '--k'"),
        ("measure DIR", "found no config.json"),
        (f"train retriever {EMBEDDED}", "requires real cases"),
    ],
)
def test_a_command_that_does_not_run_is_found(run, line, complaint):
    with pytest.raises(AssertionError, match=complaint):
        run(line)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("benchmarks.speed.absent",), ModuleNotFoundError),
        (("benchmarks.experiments.recipes.run", "RUN", "OTHER"), SystemExit),
        (("benchmarks.speed.answer", "--quick"), SystemExit),
        (("benchmarks.write_results", "RUN", "OTHER"), SystemExit),
        (("benchmarks.experiments.align.data",), AssertionError),
        (("benchmarks.experiments.retriever_options.run", "RUN", "3", "4"), TypeError),
    ],
)
def test_a_benchmarks_command_that_is_wrong_is_refused(words, refusal, monkeypatch):
    with pytest.raises(refusal):
        take(words, monkeypatch)


@pytest.mark.parametrize(
    ("text", "words", "is_short"),
    [
        ("so `python -m jomed_app train\nalign` learns", "jomed_app train align", True),
        ("Rebuild: python -m jomed_app index build ...", "jomed_app index build", True),
        ("python -m jomed_app costs RUN  # a table", "jomed_app costs RUN", False),
        ("python -m jomed_app a --b \\\n  --c D", "jomed_app a --b --c D", False),
        ("Run: python -m benchmarks.x [--n N]", "benchmarks.x --n N", False),
        ("<code>python -m jomed_app a b.png</code>", "jomed_app a b.png", False),
        ("run: make setup-training", "make setup-training", True),
        ("make demo    # and go", "make demo", True),
    ],
)
def test_a_command_is_found_in_a_text(text, words, is_short):
    (found,) = in_text(text, REPOSITORY / "x.md", REPOSITORY)
    assert found == Command(tuple(words.split()), "x.md", is_short)


@pytest.mark.parametrize("text", ["we make the pages anew", "`python -m jomed_app_x`", "make It"])
def test_prose_is_no_command(text):
    assert list(in_text(text, REPOSITORY / "x.md", REPOSITORY)) == []
