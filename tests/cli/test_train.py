from __future__ import annotations

import pytest

from jomed_app.cli import main as cli
from jomed_app.cli.stages import READ_AFTER, STAGES, stages_of
from jomed_app.config.load import CONFIG_FOLDER, load_config
from jomed_app.errors import BundleError
from jomed_app.training.export import write_config
from jomed_app.training.run.costs import read_costs

pytestmark = pytest.mark.usefixtures("log_elsewhere")


@pytest.fixture
def ran(stand_in):
    """What training was asked to do, in order."""
    calls = []

    def stage(name):
        def run(config, out, *, resume=None, thorough=True, on_progress):
            on_progress(1, 1, loss=0.5)
            if name == "folds":
                calls.append(("folds", thorough))
            else:
                calls.append((name, config.align.steps, out, resume))

        return run

    stages = {name: stage(name) for name in STAGES}
    stand_in(
        "jomed_app.cli.stages",
        READ_AFTER=READ_AFTER,
        stages_of=lambda *asked: {each: stages[each] for each in stages_of(*asked)},
    )
    stand_in("jomed_app.evaluation.folds.cross_validate", cross_validate=stage("folds"))
    stand_in("jomed_app.training.export", write_config=lambda out, config: calls.append("config"))
    return calls


@pytest.mark.parametrize(
    ("ship", "names"),
    [
        ("true", ("align", "reader", "rewards", "retriever")),
        ("false", ("align", "reader", "retriever")),
    ],
)
def test_train_all_runs_in_order_what_the_bundle_is_made_of(ran, tmp_path, capsys, ship, names):
    words = ["--config", str(CONFIG_FOLDER / "embedded.toml"), "--out", str(tmp_path)]
    words += ["--set", f"train_rewards.ship={ship}"]
    assert cli.main(["train", "all", *words, "--set", "align.steps=3", "--resume"]) == 0
    assert ran == ["config", *((name, 3, tmp_path, True) for name in names)]
    assert "train reader: 1/1 loss 0.5" in (tmp_path / "reader.log").read_text()
    out = capsys.readouterr().out
    assert [word for word in (*names, "all") if f" {word} " in out] == [*names, "all"]
    assert {each.steps for each in read_costs(tmp_path).stages.values()} == {1}
    ran.clear()
    assert cli.main(["train", "reader", *words]) == 0
    assert [name for name, *_ in ran[1:]] == ["reader"]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("align", ["align"]),
        ("reader", ["reader", "folds"]),
        ("rewards", ["rewards", "folds"]),
        ("retriever", ["retriever", "folds"]),
        ("questions", ["questions"]),
        ("all", ["align", "reader", "retriever", "folds"]),
    ],
)
def test_real_cases_are_read_in_folds_where_answers_changed(ran, tmp_path, stage, expected):
    words = ["--config", str(CONFIG_FOLDER / "embedded.toml"), "--out", str(tmp_path)]
    assert cli.main(["train", stage, *words, "--set", "train_reader.data=elsewhere"]) == 0
    assert [name for name, *_ in ran[1:]] == expected
    assert (tmp_path / "folds.log").is_file() is ("folds" in expected)
    assert ("folds", True) not in ran, "training reads what the settings need"


def test_the_retriever_is_refused_without_real_cases(ran, tmp_path, capsys):
    words = ["--config", str(CONFIG_FOLDER / "embedded.toml"), "--out", str(tmp_path)]
    assert cli.main(["train", "retriever", *words]) == 2
    assert "add --set train_reader.data=DIR" in capsys.readouterr().err
    assert ran == []


def test_a_trained_run_is_measured_thoroughly(ran, tmp_path, capsys):
    assert cli.main(["measure", str(tmp_path)]) == 2
    assert "found no config.json; train first" in capsys.readouterr().err
    config = load_config(CONFIG_FOLDER / "embedded.toml", ["align.steps=3"])
    write_config(tmp_path, config)
    assert cli.main(["measure", str(tmp_path)]) == 2
    assert "requires a run with real cases" in capsys.readouterr().err
    write_config(
        tmp_path, config.replaced(train_reader=config.train_reader.replaced(data="elsewhere"))
    )
    assert cli.main(["measure", str(tmp_path)]) == 0
    assert ran == [("folds", True)]
    assert read_costs(tmp_path).stages["measure"].runs == 1


def test_what_a_resumed_run_costs_adds_up(ran, tmp_path, capsys):
    words = ["--config", str(CONFIG_FOLDER / "embedded.toml"), "--out", str(tmp_path)]
    words += ["--set", "train_reader.data=elsewhere"]
    for more in ((), ("--resume",), ()):
        assert cli.main(["train", "reader", *words, *more]) == 0
    stages = read_costs(tmp_path).stages
    assert (stages["reader"].runs, stages["folds"].runs) == (1, 3), "readings are kept"
    assert cli.main(["train", "reader", *words, "--resume"]) == 0
    assert read_costs(tmp_path).stages["reader"].runs == 2
    capsys.readouterr()
    assert cli.main(["costs", str(tmp_path)]) == 0
    assert "folds" in capsys.readouterr().out
    assert cli.main(["costs", str(tmp_path / "absent")]) == 2
    assert "run train first" in capsys.readouterr().err


def test_an_export_is_counted_too(ran, stand_in, tmp_path, capsys):
    named = []

    def make_bundle(run, out, *, name, version, on_progress):
        on_progress(1, 1)
        named.append((name, version))
        if not run.is_dir():
            raise BundleError("a bundle requires 'config.json' in the run's folder")

    stand_in("jomed_app.training.export", make_bundle=make_bundle)
    for _ in range(2):
        words = ["--run", str(tmp_path), "--out", str(tmp_path / "bundle")]
        assert cli.main(["bundle", "export", *words]) == 0
    assert "export" in capsys.readouterr().out
    assert read_costs(tmp_path).stages["export"].runs == 1
    assert cli.main(["bundle", "export", *words, "--name", "mine", "--version", "2b"]) == 0
    assert named == [("breast-embedded", "1"), ("breast-embedded", "1"), ("mine", "2b")]
    words = ["--run", str(tmp_path / "absent"), "--out", str(tmp_path / "bundle")]
    assert cli.main(["bundle", "export", *words]) == 2
    assert "requires 'config.json'" in capsys.readouterr().err
    assert not (tmp_path / "absent").exists()


def test_the_command_line_knows_every_stage():
    assert {stage.value for stage in cli.Stage} == {*STAGES, "all"}
    config = load_config(CONFIG_FOLDER / "embedded.toml", ["train_rewards.ship=true"])
    assert [*stages_of("all", config), "questions"] == list(STAGES)
    for name in ("reader", "rewards"):
        assert stages_of(name, config) == {name: STAGES[name]}
        assert stages_of(name, load_config(CONFIG_FOLDER / "embedded.toml")) == {name: STAGES[name]}
